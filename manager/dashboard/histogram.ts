// How long tasks took, and how fast they end now. Each a walk over a column.
import { FINAL_STATUSES } from '../job-db-status.ts'
import type { HistogramView } from './api.ts'
import { statusCode } from './columns.ts'
import type { JobIndex } from './job-index.ts'

const BUCKETS = 40
const LEAST_SECONDS = 1e-4 // what is shorter is counted there: nobody measures it
const FINE = 4000 // steps of the scale that percentiles are read from: an error below half a percent

export function buildHistogram({ tasks }: JobIndex): HistogramView {
  const completedCode = statusCode('completed')
  const final = new Uint8Array(256)
  for (const status of FINAL_STATUSES) final[statusCode(status)] = 1
  let [min, max, total] = [Number.POSITIVE_INFINITY, 0, 0]
  for (let row = 1; row < tasks.end; row++) {
    if (final[tasks.status[row] ?? 0] !== 1) continue
    const seconds = Math.max(LEAST_SECONDS, tasks.elapsed[row] ?? Number.NaN)
    if (Number.isNaN(seconds)) continue
    if (seconds < min) min = seconds
    if (seconds > max) max = seconds
    total++
  }
  if (total === 0) return { edgesSeconds: [], completed: [], failed: [] }
  if (max / min < 1.1) [min, max] = [min / 1.2, max * 1.2] // all alike: still a scale, not a point
  const [from, step] = [Math.log(min), (Math.log(max) - Math.log(min)) / FINE]
  const fine = [new Uint32Array(FINE), new Uint32Array(FINE)] as const
  for (let row = 1; row < tasks.end; row++) {
    const code = tasks.status[row] ?? 0
    if (final[code] !== 1) continue
    const seconds = Math.max(LEAST_SECONDS, tasks.elapsed[row] ?? Number.NaN)
    if (Number.isNaN(seconds)) continue
    const at = Math.min(FINE - 1, Math.floor((Math.log(seconds) - from) / step))
    const column = code === completedCode ? fine[0] : fine[1]
    column[at] = (column[at] ?? 0) + 1
  }
  const secondsAt = (position: number) => Math.exp(from + position * step)
  return {
    edgesSeconds: Array.from({ length: BUCKETS + 1 }, (_, edge) => secondsAt((edge * FINE) / BUCKETS)),
    completed: coarse(fine[0]),
    failed: coarse(fine[1]),
    medianSeconds: secondsAt(positionOf(fine, total * 0.5)),
    p95Seconds: secondsAt(positionOf(fine, total * 0.95)),
  }
}

function coarse(fine: Uint32Array): number[] {
  const sums = new Array<number>(BUCKETS).fill(0)
  for (const [at, value] of fine.entries()) {
    const bucket = Math.floor((at * BUCKETS) / FINE)
    sums[bucket] = (sums[bucket] ?? 0) + value
  }
  return sums
}

function positionOf([completed, failed]: readonly [Uint32Array, Uint32Array], rank: number): number {
  let before = 0
  for (let at = 0; at < FINE; at++) {
    const here = (completed[at] ?? 0) + (failed[at] ?? 0)
    if (before + here >= rank) return at + (here === 0 ? 0 : (rank - before) / here)
    before += here
  }
  return FINE
}

const WINDOW_MS = 60_000
const MOST_LOOKED_AT = 500_000 // at the highest speeds the window gets shorter

/** Attempts a second that brought a result or a failure, over the last minute; undefined before the first. */
export function recentRate({ attempts, complete }: JobIndex, at: number): number | undefined {
  if (attempts.count === 0) return undefined
  const nowMs = complete ? at : Math.min(at, attempts.endedMs(attempts.count - 1)) // as far as it has been read
  const least = Math.max(0, attempts.count - MOST_LOOKED_AT)
  let [count, oldestMs, tooOld] = [0, nowMs, 0]
  // Nearly in order of time: what follows a long row of old ones is old too.
  for (let at = attempts.count - 1; at >= least && tooOld < 10_000; at--) {
    const ms = attempts.endedMs(at)
    if (ms < nowMs - WINDOW_MS) {
      tooOld++
      continue
    }
    count++
    if (ms < oldestMs) oldestMs = ms
  }
  const seconds = tooOld > 0 ? WINDOW_MS / 1000 : Math.max(1, (nowMs - oldestMs) / 1000)
  return count / seconds
}
