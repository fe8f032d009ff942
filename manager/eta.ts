// Says when a job will end and what it will still cost, as ranges, from how it went so far. Pure: the same history gives the
// same answer. Knows nothing of where the history comes from.
//
// The rest of a job is a queue that empties at (places on VMs) × (tasks a place ends per second), and then the last tasks,
// which nobody can help any more. Each of the three is uncertain in its own way; the range is the middle 80 % of many draws.
import { failureDelaySeconds } from '../core/retry.ts'
import type { ProgressSample } from './eta-history.ts'
import { measureWork, type WorkMeasure } from './eta-measure.ts'
import { openTail, type Tail } from './eta-tail.ts'

export interface EndForecast {
  /** One job of ten ends before it. */
  readonly p10At: Date
  readonly p50At: Date
  /** One job of ten ends after it. */
  readonly p90At: Date
  /** What the VMs will cost from now on; undefined if their price is not known. */
  readonly remainingUsd: { readonly p10: number; readonly p50: number; readonly p90: number } | undefined
}

export interface EndForecastOptions {
  /** How long tasks took, some of them: tells how long the last ones may take. Without them they vary as chance would have it. */
  readonly taskSeconds?: readonly number[]
  /** Share of the attempts after a first one that are followed by yet another. */
  readonly againShare?: number
  /** What may still be spent: the forecast ends there. */
  readonly leftUsd?: number | undefined
  /** A VM without work ends itself after so long. */
  readonly idleSeconds?: number
}

const DRAW_COUNT = 300
const MIN_DONE_COUNT = 3 // fewer say nothing

/** undefined = too little is known yet, or nothing goes on. */
export function forecastEnd(
  samples: readonly ProgressSample[],
  options: EndForecastOptions = {},
): EndForecast | undefined {
  const last = samples.at(-1)
  if (last === undefined) return undefined
  if (last.unfinishedCount === 0) return over(last.atMs)
  const taskSeconds = options.taskSeconds ?? []
  const work = measureWork(samples, variationOf(taskSeconds))
  if (work === undefined || work.doneCount < MIN_DONE_COUNT) return undefined
  const tail = openTail({
    taskSeconds,
    meanSeconds: 1 / work.perPlaceSecond,
    ageSeconds: work.tailAgeSeconds,
    lossesPerPlaceSecond: work.lossesPerPlaceSecond,
  })
  const draws = Array.from({ length: DRAW_COUNT }, (_, index) => drawRest(work, last, tail, index, options))
  const endMs = draws.map(draw => draw.seconds * 1000).toSorted(ascending)
  const usd = draws.map(draw => draw.usd).toSorted(ascending)
  const at = (share: number) => new Date(last.atMs + quantile(endMs, share))
  return {
    p10At: at(0.1),
    p50At: at(0.5),
    p90At: at(0.9),
    remainingUsd:
      last.usdPerHour === undefined
        ? undefined
        : { p10: quantile(usd, 0.1), p50: quantile(usd, 0.5), p90: quantile(usd, 0.9) },
  }
}

interface Draw {
  readonly seconds: number
  readonly usd: number
}

function drawRest(
  work: WorkMeasure,
  last: ProgressSample,
  tail: Tail,
  index: number,
  { leftUsd = Number.POSITIVE_INFINITY, idleSeconds = 300, againShare = 1 / 3 }: EndForecastOptions,
): Draw {
  const { unfinishedCount, againCount = 0 } = last
  // Points that fill the cube evenly need fewer draws than chance does, and do not flicker from one look to the next.
  const [a, b, c] = [halton(index, 2), halton(index, 3), halton(index, 5)]
  const perPlaceSecond = work.perPlaceSecond * Math.exp(work.paceSpread * normal(a))
  const places = Math.max(1e-9, work.places * Math.exp(work.placesSpread * normal(b)))
  const busy = Math.min(unfinishedCount, Math.max(1, places))
  const queued = Math.max(0, unfinishedCount - busy)
  const queueSeconds = queued / (perPlaceSecond * places)
  const longest = tail(busy, c) * Math.exp(TAIL_SPREAD * normal(halton(index, 7)))
  const tailSeconds = longest + againSeconds(againCount, againShare, halton(index, 11), 1 / perPlaceSecond)
  const paidNow = last.slotCount === undefined ? 1 : Math.max(1e-9, last.slotCount + (last.startingSlotCount ?? 0))
  const usdPerPlaceSecond = (last.usdPerHour ?? 0) / 3600 / paidNow
  // In the end each VM is paid for until its own last task is done, and a while after.
  const paidTail = Math.min(tailSeconds, tail(PLACES_OF_A_VM, c) + idleSeconds)
  const usd = usdPerPlaceSecond * places * work.paidPerPlace * (queueSeconds + paidTail)
  return { seconds: queueSeconds + tailSeconds, usd: Math.min(usd, leftUsd) }
}

/** The longest of the chains of attempts that have begun: each goes on with the same chance, after ever longer waits. */
function againSeconds(count: number, share: number, luck: number, taskSeconds: number): number {
  if (count === 0) return 0
  const chain = Math.log(count / -Math.log(luck)) / -Math.log(Math.min(0.9, share))
  let seconds = 0
  for (let failures = 2; failures < chain + 1; failures++) seconds += failureDelaySeconds(failures) + taskSeconds
  return seconds
}

const TAIL_SPREAD = 0.25
const PLACES_OF_A_VM = 4

const UNKNOWN_VARIATION = 0.5 // between tasks that are all equal and tasks of any length

/** The variance over the square of the mean. */
function variationOf(values: readonly number[]): number {
  if (values.length < 10) return UNKNOWN_VARIATION
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const square = values.reduce((sum, value) => sum + value * value, 0) / values.length
  return mean > 0 ? square / mean ** 2 - 1 : 0
}

function over(atMs: number): EndForecast {
  const at = new Date(atMs)
  return { p10At: at, p50At: at, p90At: at, remainingUsd: { p10: 0, p50: 0, p90: 0 } }
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.round((sorted.length - 1) * share)] ?? 0
}

function ascending(a: number, b: number): number {
  return a - b
}

/** In (0, 1). */
function halton(index: number, base: number): number {
  let [result, fraction] = [0, 1]
  for (let rest = index + 1; rest > 0; rest = Math.floor(rest / base)) {
    fraction /= base
    result += fraction * (rest % base)
  }
  return result
}

/** The standard normal quantile, to 0.005: https://doi.org/10.1145/321105.321117 (Hastings 26.2.23). */
function normal(probability: number): number {
  const tail = Math.min(probability, 1 - probability)
  const t = Math.sqrt(-2 * Math.log(tail))
  const value =
    t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3)
  return probability < 0.5 ? -value : value
}
