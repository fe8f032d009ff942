// The answers to what the page asks of tables and charts. Each reads, none writes.
import type { ExceptionsView, SlowestView, TasksView } from './api.ts'
import { findTasks, renderCursor } from './find-tasks.ts'
import type { JobFollower } from './job-follower.ts'
import type { TasksQuery } from './parse-requests.ts'
import { readTaskRows } from './task-rows-view.ts'

const MOST_GROUPS = 200
const SLOWEST = 50
const MOST_BY_PREFIX = 5000

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

function searchIds({ watched, index }: Pick<JobFollower, 'watched' | 'index'>, search: string): Among {
  const { end } = index.tasks
  if (index.ids.complete) return { rows: index.ids.search(search, end) }
  const rows = new Uint8Array(end)
  // The primary key finds ids by their begin, however many there are.
  const found = watched.db.sqlite
    .prepare('SELECT rowid AS row FROM tasks WHERE task_id >= ?1 AND task_id < ?1 || char(1114111) LIMIT ?2')
    .all(search, MOST_BY_PREFIX)
  for (const { row } of found) rows[Number(row)] = 1
  const most = found.length < MOST_BY_PREFIX ? '' : `, the first ${MOST_BY_PREFIX} of them`
  return { rows, note: `With so many tasks, only ids that begin with the text are found${most}.` }
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
