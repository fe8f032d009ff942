// Figures over all tasks that only a walk through the job DB can give. Knows nothing of how they are shown.
import type { DatabaseSync } from 'node:sqlite'
import { readEventCounts, readRetriedCount } from './job-db-counters.ts'
import { FINAL_STATUSES } from './job-db-status.ts'
import { parseTimestamp } from './timestamps.ts'

export interface Statistics {
  /** Over all tasks that have one; undefined without any. */
  readonly elapsedSeconds: Distribution | undefined
  /** Most frequent first. */
  readonly exceptions: readonly ExceptionGroup[]
  readonly firstEnqueuedAt: Date | undefined
  readonly lastCompletedAt: Date | undefined
  readonly spotTerminatedHosts: readonly string[]
  /** Attempts that ended, however; preemptions are among them. */
  readonly attemptCount: number
  readonly preemptionCount: number
  /** Attempts after which another was wanted, preemptions not counted. */
  readonly retriedCount: number
  /** How attempts ended: `completed`, `exception`, `timed_out`, `exited`, `interrupted`. */
  readonly attemptsByReason: Readonly<Record<string, number>>
  /** Slowest first. */
  readonly slowestTasks: readonly SlowTask[]
  /** Empty if there are too many to name. */
  readonly unfinishedTaskIds: readonly string[]
}

export interface SlowTask {
  readonly taskId: string
  readonly elapsedSeconds: number
  readonly status: string
  readonly hostname: string | undefined
}

export interface Distribution {
  readonly count: number
  readonly min: number
  readonly max: number
  readonly mean: number
  readonly median: number
  readonly p90: number
  readonly p95: number
  /** Of the population. */
  readonly standardDeviation: number
}

export interface ExceptionGroup {
  readonly text: string
  readonly count: number
}

const MOST_EXCEPTIONS = 10 // as in the Python system's report

export function readStatistics(sqlite: DatabaseSync, versioned: boolean): Statistics {
  const { values, first, last } = readElapsed(sqlite)
  const events = readEventCounts(sqlite, versioned)
  const attempts = [...events].filter(([type]) => type.startsWith('task_'))
  const attemptCount = attempts.reduce((sum, [, count]) => sum + count, 0)
  return {
    elapsedSeconds: describeDistribution(values),
    exceptions: readExceptions(sqlite),
    firstEnqueuedAt: parseTimestamp(first),
    lastCompletedAt: parseTimestamp(last),
    spotTerminatedHosts: events.has('spot_termination') ? readSpotTerminatedHosts(sqlite) : [],
    attemptCount,
    preemptionCount: events.get('task_interrupted') ?? 0,
    retriedCount: versioned ? readRetriedCount(sqlite) : 0,
    attemptsByReason: Object.fromEntries(
      attempts.map(([type, count]) => [type.slice('task_'.length), count]).toSorted(),
    ),
    slowestTasks: readSlowest(sqlite),
    unfinishedTaskIds: readUnfinishedIds(sqlite),
  }
}

/** Percentiles by linear interpolation, as the Python system's. Sorts `values` in place. */
export function describeDistribution(values: Float64Array): Distribution | undefined {
  const count = values.length
  if (count === 0) return undefined
  values.sort()
  const mean = values.reduce((sum, value) => sum + value, 0) / count
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count
  const percentile = (fraction: number) => {
    const position = (count - 1) * fraction
    const below = values[Math.floor(position)] ?? 0
    const above = values[Math.ceil(position)] ?? below
    return below + (above - below) * (position - Math.floor(position))
  }
  return {
    count,
    min: values[0] ?? 0,
    max: values[count - 1] ?? 0,
    mean,
    median: percentile(0.5),
    p90: percentile(0.9),
    p95: percentile(0.95),
    standardDeviation: Math.sqrt(variance),
  }
}

/** Eight bytes a task: 80 MB for ten million. */
function readElapsed(sqlite: DatabaseSync): { values: Float64Array; first: unknown; last: unknown } {
  const totals = sqlite
    .prepare('SELECT count(elapsed_time) AS n, min(enqueued_at) AS first, max(completed_at) AS last FROM tasks')
    .get()
  const values = new Float64Array(Number(totals?.n))
  const rows = sqlite.prepare('SELECT elapsed_time FROM tasks WHERE elapsed_time IS NOT NULL')
  rows.setReturnArrays(true)
  let count = 0
  for (const row of rows.iterate() as Iterable<unknown>) {
    if (count < values.length) values[count++] = (row as readonly number[])[0] ?? 0
  }
  return { values: values.subarray(0, count), first: totals?.first, last: totals?.last }
}

function readExceptions(sqlite: DatabaseSync): readonly ExceptionGroup[] {
  const rows = sqlite
    .prepare(
      `SELECT exception AS text, count(*) AS n FROM tasks
       WHERE exception IS NOT NULL
       GROUP BY exception ORDER BY n DESC, exception LIMIT ?`,
    )
    .all(MOST_EXCEPTIONS)
  return rows.map(row => ({ text: String(row.text), count: Number(row.n) }))
}

const MOST_SLOW_TASKS = 10

function readSlowest(sqlite: DatabaseSync): readonly SlowTask[] {
  const rows = sqlite
    .prepare(
      `SELECT task_id, elapsed_time, status, hostname FROM tasks WHERE elapsed_time IS NOT NULL
       ORDER BY elapsed_time DESC, task_id LIMIT ?`,
    )
    .all(MOST_SLOW_TASKS)
  return rows.map(row => ({
    taskId: String(row.task_id),
    elapsedSeconds: Number(row.elapsed_time),
    status: String(row.status),
    hostname: typeof row.hostname === 'string' ? row.hostname : undefined,
  }))
}

const MOST_NAMED = 49 // as in the Python system's report

function readUnfinishedIds(sqlite: DatabaseSync): readonly string[] {
  const final = FINAL_STATUSES.map(status => `'${status}'`).join(', ')
  const rows = sqlite
    .prepare(`SELECT task_id FROM tasks WHERE status NOT IN (${final}) ORDER BY rowid LIMIT ?`)
    .all(MOST_NAMED + 1)
  return rows.length > MOST_NAMED ? [] : rows.map(row => String(row.task_id))
}

function readSpotTerminatedHosts(sqlite: DatabaseSync): readonly string[] {
  const rows = sqlite
    .prepare(
      `SELECT DISTINCT hostname FROM events WHERE task_id IS NULL AND event_type = 'spot_termination' ORDER BY 1`,
    )
    .all()
  return rows.map(row => String(row.hostname))
}
