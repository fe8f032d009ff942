// What the dashboard's server and its page say to each other: the JSON of every address. Types only, for both sides.
//
// Instants are ISO-8601 texts in UTC, unless a name ends in `S` (seconds since the epoch). A field that is absent is not known.
import type { TaskStatus } from '../job-db-status.ts'

/** GET /api/job, and the event `job` of GET /api/stream. */
export interface JobView {
  readonly jobId?: string
  readonly provider?: string
  readonly taskFile?: string
  /** The server's clock, to show ages by. */
  readonly now: string
  /** First task sent. */
  readonly startedAt?: string
  /** Last task ended; absent while one is unfinished. */
  readonly finishedAt?: string
  readonly counts: Readonly<Record<TaskStatus, number>>
  readonly total: number
  /** With a final status, failed ones among them. */
  readonly doneCount: number
  readonly failedCount: number
  /** Of the last minute. */
  readonly tasksPerSecond?: number
  readonly eta?: Eta
  readonly cost: CostView
  readonly vms: {
    readonly starting: number
    readonly running: number
    readonly stopping: number
    readonly ended: number
    /** Part of `ended`. */
    readonly preempted: number
  }
  /** A `cloud-tasks run` looks after the job now. */
  readonly managerAlive: boolean
  /** The server was started with --allow-control. */
  readonly control: boolean
  readonly controls: ControlState
  /** Last write to the database, by its files. */
  readonly dbChangedAt?: string
  /** 0 … 1: how much of the database the server has read for tables and charts; counts and cost do not wait for it. */
  readonly indexedShare: number
  /** Why the database cannot be read just now, as a sentence; everything else is then as it was. */
  readonly trouble?: string
}

export interface Eta {
  readonly p10At: string
  readonly p50At: string
  readonly p90At: string
}

export interface CostView {
  readonly spentUsd: number
  /** Of the VMs alive now. */
  readonly usdPerHour: number
  /** Of the whole job. */
  readonly forecastUsd?: { readonly p10: number; readonly p50: number; readonly p90: number }
  readonly capUsd?: number
  /** These four add up to `spentUsd`, as far as VMs have a price. */
  readonly usefulUsd: number
  readonly lostUsd: number
  readonly bootUsd: number
  readonly idleUsd: number
}

export interface ControlState {
  readonly paused: boolean
  readonly maxInstances?: number
  readonly maxTotalCostUsd?: number
  /** Asked for, and not yet carried out by the manager. Oldest first. */
  readonly pending: readonly ControlAction[]
  /** The last one that could not be carried out. */
  readonly failed?: { readonly action: ControlAction; readonly error: string; readonly at: string }
}

/** GET /api/series?from=&to=&points= (seconds since the epoch; default: the whole job in 300 points). Columns of equal length. */
export interface SeriesView {
  /** Seconds since the epoch: the begin of each bucket. */
  readonly t: readonly number[]
  readonly bucketSeconds: number
  readonly completedPerSecond: readonly number[]
  /** Attempts that failed; those that were interrupted are in neither. */
  readonly failedPerSecond: readonly number[]
  /** Messages in the queue that nobody holds; null where no sample was taken. */
  readonly waiting: readonly (number | null)[]
  /** Messages that agents hold. */
  readonly running: readonly (number | null)[]
  readonly vms: readonly number[]
  readonly slots: readonly number[]
  readonly usdPerHour: readonly number[]
  readonly spentUsd: readonly number[]
}

/** `order`: as loaded. */
export type TaskSort = 'order' | 'elapsed' | 'ended' | 'attempts'

/**
 * GET /api/tasks?status=&exception=&vm=&search=&sort=&dir=&after=&limit=
 * `status`: one or several with commas. `exception`: id of a group. `vm`: id. `search`: part of a task id, as it is written.
 * `sort`: a TaskSort, `dir`: asc or desc. `after`: `next` of the page before. `limit` ≤ 500.
 */
export interface TasksView {
  readonly rows: readonly TaskRow[]
  readonly totalMatching: number
  /** Cursor of the next page; absent on the last. */
  readonly next?: string
  /** False while the server still reads: there may be more. */
  readonly complete: boolean
  /** A sentence, where the search could not do all that was asked. */
  readonly note?: string
}

export interface TaskRow {
  readonly taskId: string
  readonly status: TaskStatus
  /** Number of the attempt shown. */
  readonly attempt?: number
  readonly elapsedSeconds?: number
  readonly endedAt?: string
  readonly vmId?: string
  readonly hostname?: string
  /** The line that tells most, at most 300 characters. */
  readonly exception?: string
  /** JSON, at most 300 characters of it. */
  readonly result?: string
}

/** GET /api/task?id=<id, percent-encoded>, which takes every id, or /api/tasks/<id> for all but `.` and `..`. Texts over 100,000 characters are cut, and end in "…". */
export interface TaskDetail {
  readonly taskId: string
  readonly status: TaskStatus
  readonly type?: string
  readonly priority?: string
  readonly notBefore?: string
  readonly deadLetter?: string
  readonly enqueuedAt?: string
  readonly endedAt?: string
  readonly elapsedSeconds?: number
  /** JSON texts. */
  readonly data?: string
  readonly result?: string
  readonly exception?: string
  readonly exitCode?: number
  /** Oldest first; at most 200. */
  readonly attempts: readonly AttemptView[]
  /** What its attempts cost by themselves, where VMs have a price. */
  readonly costUsd?: number
}

export interface AttemptView {
  readonly attempt?: number
  readonly outcome: string
  readonly retry?: boolean
  readonly vmId?: string
  readonly hostname?: string
  readonly startedAt?: string
  readonly endedAt?: string
  readonly elapsedSeconds?: number
  readonly cpuSeconds?: number
  readonly maxRssBytes?: number
  readonly exception?: string
  readonly exitCode?: number
  readonly reason?: string
  readonly logTail?: string
  readonly logUrl?: string
  /** The event as it came, JSON. */
  readonly raw: string
}

/** GET /api/exceptions: why tasks are not completed as their rows stand now, most frequent first; at most 200 groups. */
export interface ExceptionsView {
  readonly groups: readonly ExceptionGroupView[]
  readonly complete: boolean
}

export interface ExceptionGroupView {
  readonly id: string
  /** The line that tells most; exits and time-outs are groups too. */
  readonly firstLine: string
  /** A whole one, at most 10,000 characters. */
  readonly sample: string
  readonly count: number
  readonly lastAt?: string
}

/** GET /api/slowest: at most 50 tasks, slowest first. */
export interface SlowestView {
  readonly rows: readonly TaskRow[]
}

/** GET /api/histogram: how long tasks took; buckets of equal width on a logarithmic scale. Empty without any. */
export interface HistogramView {
  /** One more than there are buckets. */
  readonly edgesSeconds: readonly number[]
  readonly completed: readonly number[]
  readonly failed: readonly number[]
  readonly medianSeconds?: number
  readonly p95Seconds?: number
}

/** GET /api/vms: oldest first. The event `vms` of the stream brings rows that are new or changed. */
export interface VmsView {
  readonly vms: readonly VmRow[]
}

export interface VmRow {
  readonly id: string
  readonly state?: string
  readonly type?: string
  readonly zone?: string
  readonly spot?: boolean
  readonly slots?: number
  readonly launchedAt: string
  /** First task begun, or first sign of life. */
  readonly readyAt?: string
  readonly endedAt?: string
  readonly endReason?: string
  /** It was told of its preemption. */
  readonly noticeAt?: string
  readonly priceUsdPerHour?: number
  readonly attempts: number
  readonly completed: number
  /** Until now. */
  readonly costUsd?: number
}

/** GET /api/vms/<id>/tasks?from=&to= (seconds since the epoch): attempts that touch the span, oldest first, at most 2,000. */
export interface SpansView {
  readonly spans: readonly SpanView[]
  /** There were more: the longest are shown. */
  readonly cut: boolean
}

export interface SpanView {
  readonly taskId: string
  readonly startS: number
  readonly endS: number
  /** `completed`, `exception`, `timed_out`, `exited`, `interrupted`. */
  readonly outcome: string
}

/**
 * GET /api/stream: server-sent events. `job`: JobView, each second in which something changed. `series`: SeriesView of the
 * whole job, every few seconds while it changes. `vms`: VmsView of changed rows. `heartbeat`: `{}` every 15 s. `reset`: the
 * database was replaced; load everything anew.
 */
export type StreamEventName = 'job' | 'series' | 'vms' | 'heartbeat' | 'reset'

/**
 * POST /api/control, `content-type: application/json`, `authorization: Bearer <token>` of the page's own address (`#token=`).
 * 202: written down, see `controls.pending` of the next `job`. 400, 401, 403, 409 (no manager): ApiError.
 */
export type ControlRequest =
  | { readonly action: 'pause' | 'resume' | 'stop' | 'requeue' }
  /** At least one of both. */
  | { readonly action: 'limits'; readonly maxInstances?: number; readonly maxTotalCostUsd?: number }

export type ControlAction = ControlRequest['action']

/** The body of every answer that is not 2xx: a sentence for a person. */
export interface ApiError {
  readonly error: string
}
