// Brings what the database tells of a job's course into the form that its end is foretold from. Knows nothing of how that is done.
import { forecastEnd } from '../eta.ts'
import type { ProgressSample } from '../eta-history.ts'
import { FINAL_STATUSES } from '../job-db-status.ts'
import type { Eta, JobView, VmRow } from './api.ts'
import { msOfTenths, statusCode } from './columns.ts'
import type { JobIndex } from './job-index.ts'

const SAMPLES = 200
const TASK_TIMES = 256

export interface Forecast {
  readonly eta: Eta
  readonly forecastUsd: JobView['cost']['forecastUsd']
}

export interface ForecastParts {
  readonly index: JobIndex
  readonly vms: readonly VmRow[]
  readonly total: number
  readonly spentUsd: number
  readonly capUsd: number | undefined
  readonly nowMs: number
}

/** undefined = not known yet. */
export function foretell({ index, vms, total, spentUsd, capUsd, nowMs }: ForecastParts): Forecast | undefined {
  const samples = samplesOf(index, vms, { total, nowMs })
  if (samples.length < 2) return undefined
  const found = forecastEnd(samples, {
    taskSeconds: someTaskSeconds(index),
    leftUsd: capUsd === undefined ? undefined : Math.max(0, capUsd - spentUsd),
  })
  if (found === undefined) return undefined
  const { p10At, p50At, p90At, remainingUsd: usd } = found
  return {
    eta: { p10At: p10At.toISOString(), p50At: p50At.toISOString(), p90At: p90At.toISOString() },
    forecastUsd: usd && { p10: spentUsd + usd.p10, p50: spentUsd + usd.p50, p90: spentUsd + usd.p90 },
  }
}

function samplesOf(
  index: JobIndex,
  vms: readonly VmRow[],
  { total, nowMs }: { readonly total: number; readonly nowMs: number },
): readonly ProgressSample[] {
  const { tasks, throughput } = index
  const { fromMs, count } = throughput.counted()
  const beginMs = vms.reduce((least, vm) => Math.min(least, Date.parse(vm.launchedAt)), count > 0 ? fromMs : nowMs)
  if (nowMs - beginMs < 1000) return []
  const stepMs = (nowMs - beginMs) / SAMPLES
  const ended = new Float64Array(SAMPLES + 1)
  const final = new Uint8Array(256)
  for (const status of FINAL_STATUSES) final[statusCode(status)] = 1
  for (let row = 1; row < tasks.end; row++) {
    if (final[tasks.status[row] ?? 0] !== 1) continue
    const at = Math.ceil((msOfTenths(tasks.ended[row] ?? 0) - beginMs) / stepMs)
    const bucket = Math.max(0, Math.min(SAMPLES, at))
    ended[bucket] = (ended[bucket] ?? 0) + 1
  }
  let doneCount = 0
  return Array.from(ended, (here, bucket) => {
    doneCount += here
    const atMs = beginMs + bucket * stepMs
    return { atMs, doneCount, unfinishedCount: Math.max(0, total - doneCount), ...placesAt(vms, atMs) }
  })
}

/** Nothing where VMs are only known from what they said: nobody knows then how many places they have. */
function placesAt(vms: readonly VmRow[], atMs: number): Partial<ProgressSample> {
  if (vms.length === 0 || vms.some(vm => vm.slots === undefined)) return {}
  let [slotCount, startingSlotCount, lostSlotCount, usdPerHour] = [0, 0, 0, 0]
  for (const { launchedAt, readyAt, endedAt, endReason, slots = 1, priceUsdPerHour = 0 } of vms) {
    if (Date.parse(launchedAt) > atMs) continue
    if (endedAt !== undefined && Date.parse(endedAt) <= atMs) {
      if (endReason === 'preempted' || endReason === 'host failed') lostSlotCount += slots
      continue
    }
    usdPerHour += priceUsdPerHour
    if (readyAt !== undefined && Date.parse(readyAt) <= atMs) slotCount += slots
    else startingSlotCount += slots
  }
  return { slotCount, startingSlotCount, lostSlotCount, usdPerHour }
}

function someTaskSeconds({ attempts }: JobIndex): number[] {
  const step = Math.max(1, Math.floor(attempts.count / TASK_TIMES))
  const seconds: number[] = []
  for (let at = 0; at < attempts.count; at += step) seconds.push(attempts.elapsed[at] ?? 0)
  return seconds
}
