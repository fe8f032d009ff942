// Writes the tasks of a job DB as task files, one for each status: what failed or was left can be loaded again.
import { closeSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { JobDb } from './job-db.ts'
import { TASK_STATUSES } from './job-db-status.ts'

export interface DumpedFile {
  readonly path: string
  readonly taskCount: number
}

/** `<job id>_<status>.json` for each status that tasks have. A file is there whole or not at all, whoever is killed. */
export function dumpTasks(
  db: JobDb,
  { folder, jobId }: { readonly folder: string; readonly jobId: string },
): DumpedFile[] {
  const counts = db.counts()
  return TASK_STATUSES.filter(status => counts[status] > 0).map(status => {
    const path = join(folder, `${jobId}_${status}.json`)
    return { path, taskCount: writeTasks(path, tasksOf(db, status)) }
  })
}

const LINES_AT_ONCE = 1000

function writeTasks(path: string, tasks: Iterable<string>): number {
  const unfinished = `${path}.part`
  const file = openSync(unfinished, 'w')
  let taskCount = 0
  let waiting: string[] = []
  try {
    for (const task of tasks) {
      waiting.push(`${taskCount++ === 0 ? '[' : ','}\n${task}`)
      if (waiting.length < LINES_AT_ONCE) continue
      writeSync(file, waiting.join(''))
      waiting = []
    }
    writeSync(file, `${waiting.join('')}${taskCount === 0 ? '[' : '\n'}]\n`)
  } finally {
    closeSync(file)
  }
  renameSync(unfinished, path)
  return taskCount
}

/** Indented by two, as the Python system's dumps; the data as it is stored, so that long numbers stay exact. */
function* tasksOf({ sqlite }: JobDb, status: string): Generator<string> {
  const rows = sqlite.prepare(`
    SELECT json_quote(task_id) AS id, coalesce(task_data, '{}') AS data, json_quote(type) AS type,
      json_quote(priority) AS priority, json_quote(not_before) AS not_before
    FROM tasks WHERE status = ? ORDER BY rowid`)
  for (const row of rows.iterate(status)) {
    const fields = [
      ['task_id', row.id],
      ['data', row.data],
      ...(['type', 'priority', 'not_before'] as const).flatMap(key => (row[key] === 'null' ? [] : [[key, row[key]]])),
    ]
    yield `  {\n${fields.map(([key, json]) => `    "${key}": ${String(json)}`).join(',\n')}\n  }`
  }
}
