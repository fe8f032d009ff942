// The answers to what the page asks of tables and charts. Each reads, none writes.
import type { ExceptionsView, SlowestView, TasksView } from './api.ts'
import { findTasks, renderCursor } from './find-tasks.ts'
import type { JobFollower } from './job-follower.ts'
import type { TasksQuery } from './parse-requests.ts'
import { readTaskRows } from './task-rows-view.ts'

const MOST_GROUPS = 200
const SLOWEST = 50
const MOST_FOUND = 100_000
const MANY_TASKS = 4_000_000 // beyond that, to look into each id takes longer than a person waits

export function answerTasks({ watched, index }: JobFollower, query: TasksQuery): TasksView {
  const { search } = query
  const among = search === undefined ? undefined : searchIds({ watched, index }, search)
  const found = findTasks(index, among === undefined ? query : { ...query, among: among.rows }, query)
  return {
    rows: readTaskRows(watched, index, found.rows),
    totalMatching: found.totalMatching,
    ...(found.next === undefined ? undefined : { next: renderCursor(found.next) }),
    complete: index.complete,
    ...(among?.note === undefined ? undefined : { note: among.note }),
  }
}

interface Among {
  /** A 1 for each row that was found. */
  readonly rows: Uint8Array
  readonly note?: string
}

/** In the index of the primary key, which holds nothing but ids and row numbers. */
function searchIds({ watched, index }: Pick<JobFollower, 'watched' | 'index'>, search: string): Among {
  const { end } = index.tasks
  const many = end > MANY_TASKS
  const where = many ? 'task_id >= ?1 AND task_id < ?1 || char(1114111)' : 'instr(task_id, ?1) > 0'
  const statement = watched.db.sqlite.prepare(`SELECT rowid FROM tasks WHERE ${where} ORDER BY task_id LIMIT ?2`)
  statement.setReturnArrays(true)
  const rows = new Uint8Array(end)
  let count = 0
  for (const row of statement.iterate(search, MOST_FOUND) as Iterable<unknown>) {
    rows[(row as readonly number[])[0] ?? 0] = 1
    count++
  }
  const notes = [
    ...(many ? ['With so many tasks, only ids that begin with the text are found.'] : []),
    ...(count === MOST_FOUND
      ? [`The first ${MOST_FOUND.toLocaleString('en-US')} ids with this text are looked through.`]
      : []),
  ]
  return { rows, ...(notes.length === 0 ? undefined : { note: notes.join(' ') }) }
}

export function answerExceptions({ index }: JobFollower): ExceptionsView {
  const groups = index.failures.groups
    .filter(group => group.count > 0)
    .toSorted((a, b) => b.count - a.count || b.lastMs - a.lastMs)
    .slice(0, MOST_GROUPS)
    .map(({ id, headline, sample, count, lastMs }) => ({
      id,
      firstLine: headline,
      sample,
      count,
      ...(lastMs === 0 ? undefined : { lastAt: new Date(lastMs).toISOString() }),
    }))
  return { groups, complete: index.complete }
}

export function answerSlowest({ watched, index }: JobFollower): SlowestView {
  const { rows } = findTasks(index, { statuses: [] }, { sort: 'elapsed', descending: true, limit: SLOWEST })
  return { rows: readTaskRows(watched, index, rows) }
}
