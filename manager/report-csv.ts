// The tasks of a job as CSV, one line each, for a spreadsheet or a data frame: https://www.rfc-editor.org/rfc/rfc4180, but with
// the line ends of Unix, which every reader takes.
import type { DatabaseSync } from 'node:sqlite'

const COLUMNS = [
  ['task_id', 'task_id'],
  ['status', 'status'],
  ['attempt', 'attempt'],
  ['elapsed_seconds', 'elapsed_time'],
  ['enqueued_at', 'enqueued_at'],
  ['completed_at', 'completed_at'],
  ['hostname', 'hostname'],
  ['exit_code', 'exit_code'],
  ['exception', 'exception'],
  ['dead_letter', 'dead_letter'],
  ['result', 'result'],
] as const

const CHUNK_CHARACTERS = 64 * 1024

/** Pieces of whole lines, the first of them with the names of the columns, each without its last line end. */
export function* csvOfTasks(sqlite: DatabaseSync): Generator<string> {
  // A database of the Python system lacks some of them.
  const there = new Set(
    sqlite
      .prepare('PRAGMA table_info(tasks)')
      .all()
      .map(row => row.name),
  )
  const wanted = COLUMNS.map(([, column]) => (there.has(column) ? column : 'NULL')).join(', ')
  const rows = sqlite.prepare(`SELECT ${wanted} FROM tasks ORDER BY rowid`)
  rows.setReturnArrays(true)
  let chunk = COLUMNS.map(([name]) => name).join(',')
  for (const row of rows.iterate() as Iterable<unknown>) {
    if (chunk.length > CHUNK_CHARACTERS) {
      yield chunk
      chunk = ''
    }
    chunk += `${chunk === '' ? '' : '\n'}${(row as readonly unknown[]).map(cell).join(',')}`
  }
  if (chunk !== '') yield chunk
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  const text = String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
