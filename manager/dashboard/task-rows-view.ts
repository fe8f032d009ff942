// Tasks as the page shows them: rows of a table, and one task with everything that is known of it. All texts are bounded.
import { parseEvent } from '../../core/task-event.ts'
import { TASK_STATUSES, type TaskStatus } from '../job-db-status.ts'
import type { AttemptView, TaskDetail, TaskRow } from './api.ts'
import { headlineOf } from './failure-groups.ts'
import type { JobIndex } from './job-index.ts'
import { defined, instantOf, numberOf, textOf } from './row-values.ts'
import type { WatchedDb } from './watched-db.ts'

const ROW_CHARACTERS = 300
const DETAIL_CHARACTERS = 100_000
const MOST_ATTEMPTS = 200

type SqlRow = Readonly<Record<string, unknown>>

/** In the order of `rows`. */
export function readTaskRows(watched: WatchedDb, index: JobIndex, rows: readonly number[]): readonly TaskRow[] {
  const attempt = watched.has('tasks', 'attempt') ? 'attempt' : 'NULL AS attempt'
  const found = watched.db.sqlite
    .prepare(
      `SELECT rowid AS row, task_id, status, ${attempt}, elapsed_time, completed_at, hostname, exit_code,
         substr(result, 1, ${ROW_CHARACTERS + 1}) AS result,
         iif(length(exception) > 4000, substr(exception, 1, 2000) || char(10) || substr(exception, -2000), exception)
           AS exception
       FROM tasks WHERE rowid IN (SELECT value FROM json_each(?))`,
    )
    .all(JSON.stringify(rows))
  const byRow = new Map(found.map(row => [Number(row.row), row]))
  return rows.flatMap(number => {
    const row = byRow.get(number)
    return row === undefined ? [] : [taskRow(row, vmIdOf(index, number))]
  })
}

function vmIdOf(index: JobIndex, row: number): string | undefined {
  return index.vms[index.tasks.vm[row] ?? 0]?.id || undefined
}

function taskRow(row: SqlRow, vmId: string | undefined): TaskRow {
  const exception = textOf(row.exception)
  const exitCode = numberOf(row.exit_code)
  const failure =
    exception === undefined ? (exitCode === undefined ? undefined : `exit code ${exitCode}`) : headlineOf(exception)
  return defined<TaskRow>({
    taskId: String(row.task_id),
    status: statusOf(row.status),
    attempt: numberOf(row.attempt),
    elapsedSeconds: numberOf(row.elapsed_time),
    endedAt: instantOf(row.completed_at),
    vmId,
    hostname: textOf(row.hostname),
    exception: failure,
    result: cut(textOf(row.result), ROW_CHARACTERS),
  })
}

/** undefined if there is no such task. */
export function readTaskDetail(watched: WatchedDb, taskId: string): TaskDetail | undefined {
  const { sqlite } = watched.db
  const row = sqlite.prepare('SELECT * FROM tasks WHERE task_id = ?').get(taskId)
  if (row === undefined) return undefined
  const events = watched.has('events')
    ? sqlite
        .prepare('SELECT * FROM (SELECT * FROM events WHERE task_id = ? ORDER BY id DESC LIMIT ?) ORDER BY id')
        .all(taskId, MOST_ATTEMPTS)
    : []
  return defined<TaskDetail>({
    taskId,
    status: statusOf(row.status),
    type: textOf(row.type),
    priority: textOf(row.priority),
    notBefore: textOf(row.not_before),
    deadLetter: textOf(row.dead_letter),
    enqueuedAt: instantOf(row.enqueued_at),
    endedAt: instantOf(row.completed_at),
    elapsedSeconds: numberOf(row.elapsed_time),
    data: cut(textOf(row.task_data), DETAIL_CHARACTERS),
    result: cut(textOf(row.result), DETAIL_CHARACTERS),
    exception: cut(textOf(row.exception), DETAIL_CHARACTERS),
    exitCode: numberOf(row.exit_code),
    attempts: events.map(attemptView),
    costUsd: readTaskCost(watched, taskId),
  })
}

function attemptView(row: SqlRow): AttemptView {
  const raw = String(row.raw_event)
  const event = parseEvent(raw)
  const shown = { raw: cut(raw, DETAIL_CHARACTERS) ?? '', outcome: String(row.event_type).replace(/^task_/, '') }
  if (event?.kind !== 'attempt') return defined<AttemptView>({ ...shown, endedAt: instantOf(row.timestamp) })
  const { outcome } = event
  const endedAt = instantOf(row.timestamp)
  const startedAt =
    endedAt === undefined ? undefined : new Date(Date.parse(endedAt) - event.elapsedSeconds * 1000).toISOString()
  return defined<AttemptView>({
    ...shown,
    attempt: event.attempt,
    retry: event.retry ?? undefined,
    vmId: event.instanceId,
    hostname: event.hostname,
    startedAt,
    endedAt,
    elapsedSeconds: event.elapsedSeconds,
    cpuSeconds: event.cpuSeconds,
    maxRssBytes: event.maxRssBytes,
    exception: outcome.kind === 'exception' ? cut(outcome.exception, DETAIL_CHARACTERS) : undefined,
    exitCode: outcome.kind === 'exited' ? outcome.exitCode : undefined,
    reason: outcome.kind === 'interrupted' ? outcome.reason : undefined,
    logTail: cut(event.logTail, DETAIL_CHARACTERS),
    logUrl: event.logUrl,
  })
}

function readTaskCost(watched: WatchedDb, taskId: string): number | undefined {
  if (!watched.has('task_costs')) return undefined
  const row = watched.db.sqlite.prepare('SELECT micro_usd FROM task_costs WHERE task_id = ?').get(taskId)
  return typeof row?.micro_usd === 'number' ? row.micro_usd / 1e6 : undefined
}

/** What no version of the programs knows is shown as waiting, not as done. */
function statusOf(value: unknown): TaskStatus {
  return TASK_STATUSES.find(status => status === value) ?? 'pending'
}

function cut(text: string | undefined, characters: number): string | undefined {
  return text === undefined || text.length <= characters ? text : `${text.slice(0, characters)}…`
}
