// How long the last tasks of a job take, when no more are waiting: the longest rest of those that run. Pure.

export interface TailInputs {
  /** How long tasks took, some of them; may be empty. */
  readonly taskSeconds: readonly number[]
  readonly meanSeconds: number
  /** The tasks that are left run for at least so long already. */
  readonly ageSeconds: number
  /** How often a place is taken away; its task begins anew elsewhere. */
  readonly lossesPerPlaceSecond: number
}

/** How long it takes until the last of `count` tasks ends; `luck` in (0, 1) says which of all possible ends it is. */
export type Tail = (count: number, luck: number) => number

const MIN_TIMES = 10 // fewer do not say how tasks vary
const MAX_ROUNDS = 8

export function openTail({ taskSeconds, meanSeconds, ageSeconds, lossesPerPlaceSecond }: TailInputs): Tail {
  const times = taskSeconds.length < MIN_TIMES ? byChance(meanSeconds) : taskSeconds
  const first = restQuantile(times, ageSeconds)
  const later = restQuantile(times, 0)
  return (count, luck) => {
    let seconds = 0
    let left = count
    for (let round = 0; round < MAX_ROUNDS && left > luck / 2; round++) {
      const rest = round === 0 ? first : later
      // The longest of many is short only if each of them is: the chance of one is the count-th root.
      seconds += rest(luck ** (1 / Math.max(1, left)))
      left *= 1 - Math.exp(-lossesPerPlaceSecond * rest(0.6))
    }
    return seconds
  }
}

const CHANCE_COUNT = 50

/** Nothing is known: between all equal and any length. */
function byChance(meanSeconds: number): readonly number[] {
  return Array.from({ length: CHANCE_COUNT }, (_, i) => meanSeconds * (0.4 - 0.6 * Math.log((i + 0.5) / CHANCE_COUNT)))
}

const GRID = 300
const REACH = 20 // times the longest task seen: no further

/**
 * The rest of a task that is met by chance at an age of at least `ageSeconds`: P(rest > r) is the integral of the survival
 * function from age + r on, so that long tasks count as often as they are met.
 */
function restQuantile(taskSeconds: readonly number[], ageSeconds: number): (share: number) => number {
  const { survival, longest } = survivalOf(taskSeconds)
  const end = ageSeconds + Math.max(ageSeconds, longest) * REACH
  // Fine steps where tasks end, coarse ones behind the longest.
  const grid = Array.from({ length: GRID + 1 }, (_, i) => ageSeconds + (end - ageSeconds) * (i / GRID) ** 3)
  const above = new Float64Array(GRID + 1)
  for (let i = GRID - 1; i >= 0; i--) {
    const [from = 0, to = 0] = [grid[i], grid[i + 1]]
    above[i] = (above[i + 1] ?? 0) + (to - from) * survival((from + to) / 2)
  }
  const total = above[0] ?? 0
  if (total <= 0) return share => (ageSeconds + longest / 2) * ((1 - share) ** -0.5 - 1) // longer than any: may be long still
  return share => {
    const wanted = (1 - share) * total
    let [low, high] = [0, GRID]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((above[middle] ?? 0) > wanted) low = middle
      else high = middle
    }
    const [a = 0, b = 0] = [above[low], above[high]]
    const part = a > b ? (a - wanted) / (a - b) : 0
    return (grid[low] ?? 0) + part * ((grid[high] ?? 0) - (grid[low] ?? 0)) - ageSeconds
  }
}

const TOP = 0.2 // of the tasks say how the longest vary
const HEAVIEST = 0.4
const DOUBT = 10

/** The share of tasks longer than so much: as counted, and beyond as a generalised Pareto distribution goes on. */
function survivalOf(taskSeconds: readonly number[]): {
  readonly survival: (seconds: number) => number
  readonly longest: number
} {
  const sorted = taskSeconds.toSorted((a, b) => a - b)
  const count = sorted.length
  const longest = sorted[count - 1] ?? 0
  const topCount = Math.max(4, Math.round(count * TOP))
  const threshold = sorted[count - 1 - topCount] ?? 0
  const { shape, scale } = fitPareto(sorted.slice(count - topCount).map(value => value - threshold))
  const topShare = topCount / count
  const beyond = (seconds: number) => {
    const reduced = 1 + (shape * (seconds - threshold)) / scale
    if (scale <= 0) return 0
    return Math.abs(shape) < 1e-6
      ? topShare * Math.exp(-(seconds - threshold) / scale)
      : reduced <= 0
        ? 0
        : topShare * reduced ** (-1 / shape)
  }
  return {
    longest,
    survival(seconds) {
      if (seconds > threshold) return beyond(seconds)
      let [low, high] = [0, count]
      while (low < high) {
        const middle = (low + high) >> 1
        if ((sorted[middle] ?? 0) > seconds) high = middle
        else low = middle + 1
      }
      return (count - low) / count
    },
  }
}

/** By probability-weighted moments: https://doi.org/10.1080/00401706.1987.10488243 (Hosking and Wallis). */
function fitPareto(excesses: readonly number[]): { readonly shape: number; readonly scale: number } {
  const count = excesses.length
  let [mean, weighted] = [0, 0]
  for (const [index, value] of excesses.entries()) {
    mean += value / count
    weighted += ((1 - (index + 0.65) / count) * value) / count
  }
  const difference = mean - 2 * weighted
  if (mean <= 0 || difference <= 0) return { shape: 0, scale: mean }
  const trust = count / (count + DOUBT)
  const shape = Math.max(-1, Math.min(HEAVIEST, trust * (2 - mean / difference)))
  return { shape, scale: mean * (1 - shape) }
}
