// How the job stands, as the page's head shows it: from running totals, so that it costs the same for ten tasks and ten million.
import { readControls } from '../controls.ts'
import { FINAL_STATUSES, type StatusCounts, TASK_STATUSES, totalCount, unfinishedCount } from '../job-db-status.ts'
import { isManaged } from '../manager-lease.ts'
import type { ControlState, CostView, JobView } from './api.ts'
import { statusCode } from './columns.ts'
import type { Forecast } from './eta-view.ts'
import { recentRate } from './histogram.ts'
import type { JobIndex } from './job-index.ts'
import { defined, instantOf, numberOf } from './row-values.ts'
import type { WatchedDb } from './watched-db.ts'

export interface JobViewParts {
  readonly watched: WatchedDb
  readonly index: JobIndex
  readonly control: boolean
  readonly forecast: Forecast | undefined
  readonly limits: EffectiveLimits
  readonly dbChangedAt: string | undefined
  readonly now: Date
}

export function buildJobView({ watched, index, control, forecast, limits, dbChangedAt, now }: JobViewParts): JobView {
  const { db } = watched
  const facts = db.job()
  const counts = readCounts(watched, index)
  const [total, unfinished] = [totalCount(counts), unfinishedCount(counts)]
  const finished = total > 0 && unfinished === 0
  const lastEndedMs = finished && index.finalCount() === total ? index.lastEndedMs() : undefined
  const [controls, vms] = [readControlState(watched, limits), readVmCounts(watched)]
  const tasksPerSecond = recentRate(index, now.getTime())
  // Nothing can be foretold of a job on which nobody works.
  const goesOn = !finished && !controls.paused && (vms.starting + vms.running > 0 || (tasksPerSecond ?? 0) > 0)
  return defined<JobView>({
    jobId: facts.jobId,
    provider: facts.provider,
    taskFile: facts.taskFile,
    now: now.toISOString(),
    startedAt: readStart(watched),
    finishedAt: lastEndedMs === undefined ? undefined : new Date(lastEndedMs).toISOString(),
    counts,
    total,
    doneCount: total - unfinished,
    failedCount: FINAL_STATUSES.reduce((sum, status) => sum + (status === 'completed' ? 0 : counts[status]), 0),
    tasksPerSecond: finished ? undefined : tasksPerSecond,
    eta: goesOn ? forecast?.eta : undefined,
    cost: defined<CostView>({
      ...readCost(watched),
      forecastUsd: goesOn ? forecast?.forecastUsd : undefined,
      capUsd: controls.maxTotalCostUsd,
    }),
    vms,
    managerAlive: isManaged(db.sqlite, now),
    control,
    controls,
    dbChangedAt,
    indexedShare: index.share,
    trouble: watched.trouble,
  })
}

/** A database of the Python system keeps no totals, and counting a million rows each second is too dear. */
function readCounts(watched: WatchedDb, index: JobIndex): StatusCounts {
  if (watched.has('counters')) return watched.db.counts()
  const counts = index.tasks.counts
  return Object.fromEntries(TASK_STATUSES.map(status => [status, counts[statusCode(status)] ?? 0])) as StatusCounts
}

/** Tasks are sent in the order of their rows. */
function readStart({ db }: WatchedDb): string | undefined {
  const row = db.sqlite.prepare('SELECT enqueued_at FROM tasks ORDER BY rowid LIMIT 1').get()
  return instantOf(row?.enqueued_at)
}

function readCost(watched: WatchedDb): CostView {
  if (!watched.has('job_cost')) return { spentUsd: 0, usdPerHour: 0, usefulUsd: 0, lostUsd: 0, bootUsd: 0, idleUsd: 0 }
  const { sqlite } = watched.db
  const sums = sqlite.prepare('SELECT * FROM job_cost').get()
  const writtenOff = sqlite.prepare('SELECT total(written_off) AS usd FROM launch_intents').get()
  const rate = sqlite
    .prepare(`SELECT total(price_per_hour) AS usd FROM instances WHERE state IN ('starting', 'running', 'stopping')`)
    .get()
  const usd = (name: string) => Number(sums?.[name] ?? 0) / 1e6
  return {
    spentUsd: usd('micro_usd') + Number(writtenOff?.usd ?? 0),
    usdPerHour: Number(rate?.usd ?? 0),
    usefulUsd: usd('useful_micro_usd'),
    lostUsd: usd('lost_micro_usd'),
    bootUsd: usd('boot_micro_usd'),
    idleUsd: usd('idle_micro_usd'),
  }
}

function readVmCounts(watched: WatchedDb): JobView['vms'] {
  const counts = { starting: 0, running: 0, stopping: 0, ended: 0, preempted: 0 }
  if (!watched.has('instances')) return counts
  const rows = watched.db.sqlite
    .prepare(`SELECT state, count(*) AS n, total(end_reason = 'preempted') AS preempted FROM instances GROUP BY state`)
    .all()
  for (const { state, n, preempted } of rows) {
    if (state === 'starting' || state === 'running' || state === 'stopping') counts[state] = Number(n)
    if (state === 'terminated') counts.ended = Number(n)
    counts.preempted += Number(preempted)
  }
  return counts
}

export interface EffectiveLimits {
  readonly maxInstances?: number | undefined
  readonly maxTotalCostUsd?: number | undefined
}

/** Its number; 0 before the first. */
export function readLastDecision(watched: WatchedDb): number {
  if (!watched.has('decisions')) return 0
  return Number(watched.db.sqlite.prepare('SELECT max(id) AS id FROM decisions').get()?.id ?? 0)
}

/** As the manager's last decision had them. Reads all that was decided from: not to be asked each second. */
export function readEffectiveLimits(watched: WatchedDb): EffectiveLimits {
  if (!watched.has('decisions')) return {}
  const row = watched.db.sqlite
    .prepare(
      `SELECT json_extract(inputs, '$.config.pool.maxInstances') AS instances,
         json_extract(inputs, '$.config.pool.maxTotalCostUsd') AS cost
       FROM decisions WHERE inputs IS NOT NULL ORDER BY id DESC LIMIT 1`,
    )
    .get()
  return { maxInstances: numberOf(row?.instances), maxTotalCostUsd: numberOf(row?.cost) }
}

function readControlState(watched: WatchedDb, config: EffectiveLimits): ControlState {
  const { paused, limits, pending, failed } = readControls(watched.db.sqlite)
  return defined<ControlState>({
    paused,
    maxInstances: limits.maxInstances ?? config.maxInstances,
    maxTotalCostUsd: limits.maxTotalCostUsd ?? config.maxTotalCostUsd,
    pending,
    failed,
  })
}
