// Measures how fast a job went, place by place, how steady that was, and where it tends. A place runs one task at a time. Pure.
import type { ProgressSample } from './eta-history.ts'

export interface WorkMeasure {
  readonly doneCount: number
  /** Tasks that one place will end in a second, from now on. */
  readonly perPlaceSecond: number
  /** Standard deviation of its logarithm. */
  readonly paceSpread: number
  /** Places from now on. */
  readonly places: number
  readonly placesSpread: number
  /** Places that are paid for, for each that can be used: VMs on their way cost money too. */
  readonly paidPerPlace: number
  /** For how long there have been more places than tasks. */
  readonly tailAgeSeconds: number
  readonly lossesPerPlaceSecond: number
}

interface Stretch {
  readonly seconds: number
  readonly doneCount: number
  /** With what running tasks have been brought forward. */
  readonly workCount: number
  readonly placeSeconds: number
  /** Places, whether there was work for them or not. */
  readonly places: number
  readonly startingPlaces: number
}

/** `variation`: of the times of tasks, the variance over the square of the mean. */
export function measureWork(samples: readonly ProgressSample[], variation: number): WorkMeasure | undefined {
  const last = samples.at(-1)
  const all = stretchesOf(samples, variation)
  if (last === undefined || all.length === 0) return undefined
  const stretches = withoutWarmUp(all, placesOf(last))
  const total = sumOf(stretches)
  if (total.placeSeconds <= 0) return undefined
  const lost = (last.lostSlotCount ?? 0) - (samples[0]?.lostSlotCount ?? 0)
  return {
    doneCount: total.doneCount,
    ...paceOf(stretches, total, { unfinishedCount: last.unfinishedCount, busy: busyOf(last), variation }),
    ...placesToCome(stretches, last),
    tailAgeSeconds: tailAge(samples),
    lossesPerPlaceSecond: last.slotCount === undefined ? 0 : lost / total.placeSeconds,
  }
}

/** Where nobody knows how many places there are, the whole job is one. */
function placesOf({ slotCount }: ProgressSample): number {
  return slotCount ?? 1
}

function busyOf(sample: ProgressSample): number {
  return Math.min(placesOf(sample), sample.unfinishedCount)
}

const LEAST_CREDIT = -1

function stretchesOf(samples: readonly ProgressSample[], variation: number): readonly Stretch[] {
  // What a place has ended after long is its time over the mean, less this: half a task if all are equal, and more than
  // that the other way if they vary much, as the short ones come first. https://en.wikipedia.org/wiki/Renewal_theory
  const credit = Math.max(LEAST_CREDIT, (1 - variation) / 2)
  const stretches: Stretch[] = []
  for (const [index, to] of samples.entries()) {
    const from = samples[index - 1]
    if (from === undefined || to.atMs <= from.atMs) continue
    const seconds = (to.atMs - from.atMs) / 1000
    const doneCount = Math.max(0, to.doneCount - from.doneCount)
    const busy = (busyOf(from) + busyOf(to)) / 2
    // VMs work before they are seen to: what they did must have had a place.
    const unseen = doneCount > 0 && busy === 0 ? Math.max(1, to.startingSlotCount ?? 0) : 0
    stretches.push({
      seconds,
      doneCount,
      workCount: to.slotCount === undefined ? doneCount : doneCount + credit * (busyOf(to) - busyOf(from)),
      placeSeconds: (busy + unseen) * seconds,
      places: (placesOf(from) + placesOf(to)) / 2,
      startingPlaces: ((from.startingSlotCount ?? 0) + (to.startingSlotCount ?? 0)) / 2,
    })
  }
  const firstWork = stretches.findIndex(({ placeSeconds }) => placeSeconds > 0)
  return firstWork < 0 ? [] : stretches.slice(firstWork)
}

const MOST_WARM_UP = 0.3 // of the work done so far
const WARM_UP_TASKS = 2 // of each place: then the places are out of step with each other, and the first looks are forgotten

function withoutWarmUp(stretches: readonly Stretch[], places: number): readonly Stretch[] {
  const total = sumOf(stretches)
  const tasks = Math.min(total.doneCount * MOST_WARM_UP, WARM_UP_TASKS * places)
  const placeSeconds = (total.placeSeconds / Math.max(1, total.doneCount)) * tasks
  let before = 0
  const first = stretches.findIndex(stretch => {
    const warm = before >= placeSeconds
    before += stretch.placeSeconds
    return warm && before <= total.placeSeconds * (1 - MOST_WARM_UP)
  })
  return stretches.slice(Math.max(0, first))
}

interface Sum {
  readonly doneCount: number
  readonly workCount: number
  readonly placeSeconds: number
}

function sumOf(parts: readonly Sum[]): Sum {
  let [doneCount, workCount, placeSeconds] = [0, 0, 0]
  for (const part of parts) {
    doneCount += part.doneCount
    workCount += part.workCount
    placeSeconds += part.placeSeconds
  }
  return { doneCount, workCount: Math.max(0.5, workCount), placeSeconds }
}

const MOST_BLOCKS = 10
const TASKS_PER_BLOCK = 5
const LEAST_SPREAD = 0.04
const TREND_SPREAD = 0.5 // of the logarithm of the pace, over a whole history: jobs change by so much without a sign of it before
const MOST_REACH = 1.5 // histories ahead: no trend goes on for longer
const PRIOR_BLOCKS = 3

interface Rest {
  readonly unfinishedCount: number
  readonly busy: number
  readonly variation: number
}

/** The line through the logarithms of the paces of blocks of equal work, carried on to the middle of what is left. */
function paceOf(
  stretches: readonly Stretch[],
  total: Sum,
  { unfinishedCount, busy, variation }: Rest,
): Pick<WorkMeasure, 'perPlaceSecond' | 'paceSpread'> {
  const wanted = Math.max(1, Math.min(MOST_BLOCKS, Math.floor(total.doneCount / TASKS_PER_BLOCK)))
  const blocks = blocksOf(stretches, total.placeSeconds / wanted)
  const count = blocks.length
  const mean = Math.log(total.workCount / total.placeSeconds)
  const byLuck = (Math.max(0.02, variation) * count) / Math.max(1, total.doneCount)
  let [doneBefore, center, sumXX, sumXY, squares] = [0, 0, 0, 0, 0]
  const points = blocks.map(block => {
    const x = (doneBefore + block.doneCount / 2) / total.doneCount
    doneBefore += block.doneCount
    center += x / count
    return { x, y: Math.log(Math.max(0.5, block.workCount) / block.placeSeconds) - mean }
  })
  for (const { x, y } of points) {
    sumXX += (x - center) ** 2
    sumXY += (x - center) * y
  }
  const slope = sumXX > 0 ? sumXY / sumXX : 0
  for (const { x, y } of points) squares += (y - slope * (x - center)) ** 2
  const variance = (squares + PRIOR_BLOCKS * byLuck) / (Math.max(0, count - 2) + PRIOR_BLOCKS)
  const ofSlope = sumXX > 0 ? variance / sumXX : Number.POSITIVE_INFINITY
  const trust = TREND_SPREAD ** 2 / (TREND_SPREAD ** 2 + ofSlope)
  const reach = unfinishedCount / total.doneCount
  const ahead = 1 - center + Math.min(MOST_REACH, reach) / 2
  const begun = (0.4 * busy) / total.workCount // nobody knows how far the running tasks are
  return {
    perPlaceSecond: Math.exp(mean + trust * slope * ahead),
    paceSpread: Math.sqrt(
      LEAST_SPREAD ** 2 +
        2 * (variance / count + variance / Math.max(1, count * reach)) + // blocks are not as independent as that
        TREND_SPREAD ** 2 * (1 - trust) * ahead ** 2 +
        Math.min(1, begun) ** 2,
    ),
  }
}

function blocksOf(stretches: readonly Stretch[], placeSeconds: number): readonly Sum[] {
  const blocks: Sum[] = []
  let [doneCount, workCount, work] = [0, 0, 0]
  for (const stretch of stretches) {
    doneCount += stretch.doneCount
    workCount += stretch.workCount
    work += stretch.placeSeconds
    if (work < placeSeconds * 0.999) continue
    blocks.push({ doneCount, workCount, placeSeconds: work })
    doneCount = workCount = work = 0
  }
  return blocks
}

const RECENT = 0.3 // of the time

function placesToCome(
  stretches: readonly Stretch[],
  last: ProgressSample,
): Pick<WorkMeasure, 'places' | 'placesSpread' | 'paidPerPlace'> {
  if (last.slotCount === undefined) return { places: 1, placesSpread: 0, paidPerPlace: 1 }
  const total = stretches.reduce((sum, stretch) => sum + stretch.seconds, 0)
  let [seconds, sum, squares, starting] = [0, 0, 0, 0]
  for (const stretch of stretches.toReversed()) {
    if (seconds > total * RECENT) break
    seconds += stretch.seconds
    sum += stretch.places * stretch.seconds
    squares += stretch.places ** 2 * stretch.seconds
    starting += stretch.startingPlaces * stretch.seconds
  }
  const mean = sum / seconds
  // Where VMs always come and go, some are always on their way.
  const now = last.slotCount + Math.max(0, (last.startingSlotCount ?? 0) - starting / seconds)
  const deviation = Math.sqrt(Math.max(0, squares / seconds - mean ** 2)) / Math.max(1, mean)
  const unsettled = Math.log(Math.max(1, now) / Math.max(1, mean)) / 2
  return {
    places: Math.max(0.5, (mean + now) / 2),
    placesSpread: Math.min(0.7, Math.hypot(LEAST_SPREAD, deviation, unsettled)),
    paidPerPlace: mean > 0 ? Math.min(2, 1 + starting / seconds / mean) : 1,
  }
}

function tailAge(samples: readonly ProgressSample[]): number {
  const last = samples.at(-1)
  const first = samples.findLast(sample => sample.unfinishedCount > placesOf(sample))
  if (last?.slotCount === undefined || first === undefined) return 0
  return Math.max(0, (last.atMs - first.atMs) / 1000)
}
