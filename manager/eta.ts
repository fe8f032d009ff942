// Says when a job will end and what it will still cost, as ranges, from how it went so far. Pure: the same history gives the
// same answer. Knows nothing of where the history comes from.
//
// The rest of a job is a queue that empties at (places on VMs) × (tasks a place ends per second), and then the last tasks,
// which nobody can help any more. Each of the three is uncertain in its own way; the range is the middle 80 % of many draws.
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
  /** What may still be spent: the forecast ends there. */
  readonly leftUsd?: number | undefined
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
  const work = measureWork(samples)
  if (work === undefined || work.doneCount < MIN_DONE_COUNT) return undefined
  const tail = openTail({
    taskSeconds: options.taskSeconds ?? [],
    meanSeconds: work.weightedPlaceSeconds / Math.max(1, work.weightedDone),
    ageSeconds: work.tailAgeSeconds,
  })
  const draws = Array.from({ length: DRAW_COUNT }, (_, index) => drawRest(work, last, tail, index, options.leftUsd))
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
  { unfinishedCount, usdPerHour = 0 }: ProgressSample,
  tail: Tail,
  index: number,
  leftUsd = Number.POSITIVE_INFINITY,
): Draw {
  // Points that fill the cube evenly need fewer draws than chance does, and do not flicker from one look to the next.
  const [a, b, c, d] = [halton(index, 2), halton(index, 3), halton(index, 5), halton(index, 7)]
  const begun = work.edgeCount * d // of what is being worked on, some is done already
  const perPlace = ((work.weightedDone + begun) / work.weightedPlaceSeconds) * Math.exp(work.rateSpread * normal(a))
  const places = Math.max(1e-9, work.places * Math.exp(work.placesSpread * normal(b)))
  const busy = Math.min(unfinishedCount, Math.max(1, places))
  const queued = Math.max(0, unfinishedCount - busy)
  const queueSeconds = queued / (perPlace * places)
  const tailSeconds = tail(busy, c)
  const later = work.placesNow > 0 ? places / work.placesNow : 1
  const usd = (usdPerHour / 3600) * (queueSeconds + tailSeconds) * later
  return { seconds: queueSeconds + tailSeconds, usd: Math.min(usd, leftUsd) }
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
