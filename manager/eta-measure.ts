// Measures how fast a job went, place by place, and how steady that was. Pure.
import type { ProgressSample } from './eta-history.ts'

export interface WorkMeasure {
  readonly doneCount: number
  /** Done, and the time of places that it took; what is longer ago counts less. */
  readonly weightedDone: number
  readonly weightedPlaceSeconds: number
  /** How many tasks may be half done and are not in `weightedDone`. */
  readonly edgeCount: number
  /** Standard deviation of the logarithm of the rate to come, around the measured one. */
  readonly rateSpread: number
  /** Tasks at once, from now on. */
  readonly places: number
  readonly placesSpread: number
  readonly placesNow: number
  /** Time lost until all places are there. */
  readonly arrivalSeconds: number
  /** For how long there have been more places than tasks. */
  readonly tailAgeSeconds: number
}

interface Stretch {
  readonly atMs: number
  readonly seconds: number
  readonly doneCount: number
  readonly placeSeconds: number
  /** Places, whether there was work for them or not. */
  readonly places: number
}

export function measureWork(samples: readonly ProgressSample[]): WorkMeasure | undefined {
  const last = samples.at(-1)
  const stretches = stretchesOf(samples)
  if (last === undefined || stretches.length === 0) return undefined
  const total = sumOf(stretches)
  if (total.placeSeconds <= 0) return undefined
  const weighted = weigh(stretches, total.placeSeconds)
  const placesNow = placesOf(last)
  const { places, spread: placesSpread } = placesToCome(stretches, last)
  const busy = Math.min(placesNow, last.unfinishedCount)
  const horizon = last.unfinishedCount / Math.max(1e-9, weighted.doneCount / weighted.placeSeconds)
  return {
    doneCount: total.doneCount,
    weightedDone: weighted.doneCount,
    weightedPlaceSeconds: weighted.placeSeconds,
    edgeCount: samples[0]?.doneCount === 0 ? busy * weighted.oldest : 0,
    rateSpread: rateSpread(stretches, total, horizon),
    places,
    placesSpread,
    placesNow,
    arrivalSeconds: 0,
    tailAgeSeconds: tailAge(samples),
  }
}

/** Where nobody knows how many places there are, the whole job is one. */
function placesOf({ slotCount }: ProgressSample): number {
  return slotCount ?? 1
}

function stretchesOf(samples: readonly ProgressSample[]): readonly Stretch[] {
  const stretches: Stretch[] = []
  for (const [index, to] of samples.entries()) {
    const from = samples[index - 1]
    if (from === undefined || to.atMs <= from.atMs) continue
    const seconds = (to.atMs - from.atMs) / 1000
    const places = (placesOf(from) + placesOf(to)) / 2
    const busy = Math.min(places, (from.unfinishedCount + to.unfinishedCount) / 2)
    const doneCount = Math.max(0, to.doneCount - from.doneCount)
    stretches.push({ atMs: to.atMs, seconds, doneCount, placeSeconds: busy * seconds, places })
  }
  const firstWork = stretches.findIndex(({ placeSeconds }) => placeSeconds > 0)
  return firstWork < 0 ? [] : stretches.slice(firstWork)
}

interface Sum {
  readonly doneCount: number
  readonly placeSeconds: number
}

function sumOf(stretches: readonly Stretch[]): Sum {
  let [doneCount, placeSeconds] = [0, 0]
  for (const stretch of stretches) {
    doneCount += stretch.doneCount
    placeSeconds += stretch.placeSeconds
  }
  return { doneCount, placeSeconds }
}

const HALF_LIFE = 0.5 // of the work done so far: tasks that get longer are noticed, a burst is not taken for the future

function weigh(stretches: readonly Stretch[], placeSeconds: number): Sum & { readonly oldest: number } {
  let [doneSum, placeSum, after] = [0, 0, 0]
  for (const stretch of stretches.toReversed()) {
    const weight = 0.5 ** ((after + stretch.placeSeconds / 2) / (placeSeconds * HALF_LIFE))
    doneSum += weight * stretch.doneCount
    placeSum += weight * stretch.placeSeconds
    after += stretch.placeSeconds
  }
  return { doneCount: doneSum, placeSeconds: placeSum, oldest: 0.5 ** (1 / HALF_LIFE) }
}

const BLOCK_COUNT = 8
const LEAST_SPREAD = 0.03
const PRIOR_BLOCKS = 2

/** Blocks of equal work that differ much foretell that what comes differs much. */
function rateSpread(stretches: readonly Stretch[], total: Sum, horizonPlaceSeconds: number): number {
  const blocks = blocksOf(stretches, total.placeSeconds / BLOCK_COUNT)
  const mean = total.doneCount / total.placeSeconds
  const perBlock = Math.max(1, total.doneCount / BLOCK_COUNT)
  const prior = 1 / perBlock
  const squares = blocks.reduce((sum, block) => sum + (block.doneCount / block.placeSeconds / mean - 1) ** 2, 0)
  const variance = (squares + PRIOR_BLOCKS * prior) / (Math.max(1, blocks.length - 1) + PRIOR_BLOCKS)
  const ofPast = variance / BLOCK_COUNT
  const ofFuture = variance / Math.max(0.5, (BLOCK_COUNT * horizonPlaceSeconds) / total.placeSeconds)
  const drift = driftOf(blocks)
  const reach = Math.min(2, horizonPlaceSeconds / total.placeSeconds)
  return Math.sqrt(LEAST_SPREAD ** 2 + 1.5 * ofPast + ofFuture + drift * reach)
}

/** How much more one half differs from the other than chance would have it. */
function driftOf(blocks: readonly Sum[]): number {
  const half = Math.floor(blocks.length / 2)
  if (half === 0) return 0.1
  const rate = (some: readonly Sum[]) => {
    const sum = sumOf(some.map(block => ({ ...block, atMs: 0, seconds: 0, places: 0 })))
    return (sum.doneCount + 0.5) / sum.placeSeconds
  }
  return 0.25 * Math.log(rate(blocks.slice(half)) / rate(blocks.slice(0, half))) ** 2
}

function blocksOf(stretches: readonly Stretch[], placeSeconds: number): readonly Sum[] {
  const blocks: Sum[] = []
  let [done, work] = [0, 0]
  for (const stretch of stretches) {
    done += stretch.doneCount
    work += stretch.placeSeconds
    if (work < placeSeconds * 0.999) continue
    blocks.push({ doneCount: done, placeSeconds: work })
    done = work = 0
  }
  return blocks
}

const RECENT = 0.3 // of the time

function placesToCome(stretches: readonly Stretch[], last: ProgressSample): { places: number; spread: number } {
  if (last.slotCount === undefined) return { places: 1, spread: 0 }
  const now = last.slotCount + (last.startingSlotCount ?? 0)
  const total = stretches.reduce((sum, stretch) => sum + stretch.seconds, 0)
  let [seconds, sum, squares] = [0, 0, 0]
  for (const stretch of stretches.toReversed()) {
    if (seconds > total * RECENT) break
    seconds += stretch.seconds
    sum += stretch.places * stretch.seconds
    squares += stretch.places ** 2 * stretch.seconds
  }
  if (seconds === 0) return { places: Math.max(1, now), spread: 0.3 }
  const mean = sum / seconds
  const deviation = Math.sqrt(Math.max(0, squares / seconds - mean ** 2)) / Math.max(1, mean)
  return { places: Math.max(0.5, (mean + now) / 2), spread: Math.min(0.5, 0.03 + deviation / 2) }
}

function tailAge(samples: readonly ProgressSample[]): number {
  const last = samples.at(-1)
  const first = samples.findLast(sample => sample.unfinishedCount > placesOf(sample))
  if (last?.slotCount === undefined || first === undefined) return 0
  return Math.max(0, (last.atMs - first.atMs) / 1000)
}
