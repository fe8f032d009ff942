// The course of the job as aligned columns: throughput from attempts, VMs and money from their lifetimes, queue depth from
// the samples that the manager takes.
import type { SeriesView, VmRow } from './api.ts'
import { ATTEMPT_KINDS } from './columns.ts'
import type { JobIndex } from './job-index.ts'
import { msOf } from './row-values.ts'
import type { WatchedDb } from './watched-db.ts'

export interface SeriesRange {
  /** Default: the begin of the job. */
  readonly fromS?: number
  /** Default: its end, or now. */
  readonly toS?: number
  readonly points: number
}

export interface SeriesParts {
  readonly watched: WatchedDb
  readonly index: JobIndex
  readonly vms: readonly VmRow[]
  readonly nowMs: number
  /** Somebody works on the job, so that its course goes on until now. */
  readonly goesOn: boolean
}

const NICE_SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400]

export function buildSeries(parts: SeriesParts, range: SeriesRange): SeriesView {
  const { fromS, toS } = wholeSpan(parts)
  const from = range.fromS ?? fromS
  const to = Math.max(range.toS ?? toS, from + 1)
  const whole = range.fromS === undefined && range.toS === undefined
  const least = (to - from) / range.points
  const counted = parts.index.throughput.counted()
  const nice = NICE_SECONDS.find(seconds => seconds >= least) ?? Math.ceil(least / 86_400) * 86_400
  // Zoomed in, buckets may be shorter than a second; all of the job is read from ready-made ones, which may be long.
  const bucketSeconds = whole ? Math.max(nice, counted.widthMs / 1000) : least < 1 ? least : nice
  const start = Math.floor(from / bucketSeconds) * bucketSeconds
  const count = Math.max(1, Math.ceil((to - start) / bucketSeconds))
  const nowS = parts.goesOn ? parts.nowMs / 1000 : Number.POSITIVE_INFINITY
  const grid: Grid = { startS: start, bucketSeconds, count, nowS }
  return {
    t: Array.from({ length: count }, (_, bucket) => round(start + bucket * bucketSeconds)),
    bucketSeconds,
    ...(whole ? throughputOfBuckets(parts.index, grid) : throughputOfAttempts(parts.index, grid)),
    ...queueColumns(parts.watched, grid),
    ...vmColumns(parts.vms, grid),
  }
}

interface Grid {
  readonly startS: number
  readonly bucketSeconds: number
  readonly count: number
  /** While the job goes on: its last bucket is not over yet. */
  readonly nowS: number
}

function wholeSpan({ index, vms, nowMs, goesOn }: SeriesParts): { fromS: number; toS: number } {
  const { fromMs, widthMs, count } = index.throughput.counted()
  let [begin, end] = count === 0 ? [nowMs, 0] : [fromMs, fromMs + count * widthMs]
  for (const { launchedAt, endedAt } of vms) {
    begin = Math.min(begin, Date.parse(launchedAt))
    end = Math.max(end, endedAt === undefined ? nowMs : Date.parse(endedAt))
  }
  const toMs = goesOn || end === 0 ? nowMs : Math.min(nowMs, end)
  return { fromS: begin / 1000, toS: Math.max(begin + 1000, toMs) / 1000 }
}

type Throughput = Pick<SeriesView, 'completedPerSecond' | 'failedPerSecond'>

function throughputOfBuckets({ throughput }: JobIndex, grid: Grid): Throughput {
  const { fromMs, widthMs, count, completed, failed } = throughput.counted()
  const sums = [new Float64Array(grid.count), new Float64Array(grid.count)] as const
  for (let bucket = 0; bucket < count; bucket++) {
    const at = bucketOf(grid, (fromMs + bucket * widthMs) / 1000)
    if (at === undefined) continue
    sums[0][at] = (sums[0][at] ?? 0) + (completed[bucket] ?? 0)
    sums[1][at] = (sums[1][at] ?? 0) + (failed[bucket] ?? 0)
  }
  return perSecond(sums, grid)
}

function throughputOfAttempts({ attempts }: JobIndex, grid: Grid): Throughput {
  const sums = [new Float64Array(grid.count), new Float64Array(grid.count)] as const
  for (let index = 0; index < attempts.count; index++) {
    const at = bucketOf(grid, attempts.endedMs(index) / 1000)
    if (at === undefined) continue
    const kind = ATTEMPT_KINDS[attempts.kind[index] ?? 0]
    if (kind === 'interrupted') continue
    const sum = kind === 'completed' ? sums[0] : sums[1]
    sum[at] = (sum[at] ?? 0) + 1
  }
  return perSecond(sums, grid)
}

function perSecond([completed, failed]: readonly [Float64Array, Float64Array], grid: Grid): Throughput {
  const { bucketSeconds, startS, nowS } = grid
  const rates = (sums: Float64Array) =>
    Array.from(sums, (sum, bucket) => {
      // The last bucket is not over yet.
      const seconds = Math.min(bucketSeconds, Math.max(1, nowS - (startS + bucket * bucketSeconds)))
      return round(sum / Math.min(seconds, bucketSeconds))
    })
  return { completedPerSecond: rates(completed), failedPerSecond: rates(failed) }
}

function queueColumns(watched: WatchedDb, grid: Grid): Pick<SeriesView, 'waiting' | 'running'> {
  const waiting = new Array<number | null>(grid.count).fill(null)
  const running = new Array<number | null>(grid.count).fill(null)
  if (watched.has('samples')) {
    for (const row of watched.db.sqlite.prepare('SELECT at, ready, leased, delayed FROM samples ORDER BY id').all()) {
      const ms = msOf(row.at)
      const at = ms === undefined ? undefined : bucketOf(grid, ms / 1000)
      if (at === undefined || row.ready === null) continue
      waiting[at] = Number(row.ready) + Number(row.delayed)
      running[at] = Number(row.leased)
    }
  }
  return { waiting, running }
}

type VmColumns = Pick<SeriesView, 'vms' | 'slots' | 'usdPerHour' | 'spentUsd'>

/** Each VM adds to the buckets it was there in; what it has cost by a bucket's end is added up over them. */
function vmColumns(vms: readonly VmRow[], grid: Grid): VmColumns {
  const { startS, bucketSeconds, count, nowS } = grid
  const [alive, slots, price, spent] = [0, 1, 2, 3].map(() => new Float64Array(count + 1))
  let before = 0
  for (const vm of vms) {
    const launchedS = Date.parse(vm.launchedAt) / 1000
    const endedS =
      vm.endedAt === undefined ? Math.min(nowS, startS + count * bucketSeconds) : Date.parse(vm.endedAt) / 1000
    const usdPerHour = vm.priceUsdPerHour ?? 0
    before += (usdPerHour * Math.max(0, Math.min(endedS, startS) - launchedS)) / 3600
    if (endedS < startS) continue
    const first = Math.max(0, Math.floor((launchedS - startS) / bucketSeconds))
    const lastOfVm = Math.floor((endedS - startS) / bucketSeconds)
    const last = Math.min(count - 1, lastOfVm)
    const readyS = vm.readyAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(vm.readyAt) / 1000
    for (let at = first; at <= last; at++) {
      const endOfBucketS = startS + (at + 1) * bucketSeconds
      const overlap = Math.min(endedS, endOfBucketS) - Math.max(launchedS, startS + at * bucketSeconds)
      add(spent, at, (usdPerHour * Math.max(0, overlap)) / 3600)
      const there = vm.endedAt === undefined || at < lastOfVm || first === lastOfVm
      if (!there) continue // it ended in this bucket; another may have taken its place
      add(alive, at, 1)
      add(price, at, usdPerHour)
      if (readyS < endOfBucketS) add(slots, at, vm.slots ?? 1)
    }
  }
  let sum = before
  const spentUsd = Array.from({ length: count }, (_, at) => {
    sum += spent?.[at] ?? 0
    return round(sum, 1e6)
  })
  const column = (values: Float64Array | undefined) =>
    Array.from({ length: count }, (_, at) => round(values?.[at] ?? 0))
  return { vms: column(alive), slots: column(slots), usdPerHour: column(price), spentUsd }
}

function add(column: Float64Array | undefined, at: number, value: number): void {
  if (column !== undefined) column[at] = (column[at] ?? 0) + value
}

function bucketOf({ startS, bucketSeconds, count }: Grid, seconds: number): number | undefined {
  const at = Math.floor((seconds - startS) / bucketSeconds)
  return at >= 0 && at < count ? at : undefined
}

function round(value: number, steps = 1e4): number {
  return Math.round(value * steps) / steps
}
