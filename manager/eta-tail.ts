// How long the last tasks of a job take, when no more are waiting: the longest rest of those that run. Pure.

export interface TailInputs {
  /** How long tasks took, some of them; may be empty. */
  readonly taskSeconds: readonly number[]
  readonly meanSeconds: number
  /** The tasks that are left run for at least so long already. */
  readonly ageSeconds: number
}

/** How long it takes until the last of `count` tasks ends; `luck` in (0, 1) says which of all possible ends it is. */
export type Tail = (count: number, luck: number) => number

const MIN_TIMES = 10 // fewer do not say how tasks vary

export function openTail({ taskSeconds, meanSeconds, ageSeconds }: TailInputs): Tail {
  const restOf = restQuantile(taskSeconds, meanSeconds, ageSeconds)
  // The longest of many is short only if each of them is: the chance of one is the count-th root.
  return (count, luck) => restOf(luck ** (1 / Math.max(1, count)))
}

function restQuantile(
  taskSeconds: readonly number[],
  meanSeconds: number,
  ageSeconds: number,
): (share: number) => number {
  if (taskSeconds.length < MIN_TIMES) return share => -meanSeconds * Math.log1p(-share)
  const rests = restsOf(taskSeconds, ageSeconds)
  // Tasks that run longer than any that was seen: the longer they did, the longer they will.
  if (rests.length === 0) return share => (ageSeconds + meanSeconds / 2) * ((1 - share) ** -0.5 - 1)
  return share => rests[Math.min(rests.length - 1, Math.floor(share * rests.length))] ?? 0
}

const REST_COUNT = 1000

/** Quantiles of the rest of a task that is met by chance: at any point of it, and more likely in a long one. */
function restsOf(taskSeconds: readonly number[], ageSeconds: number): readonly number[] {
  const longer = taskSeconds.filter(value => value > ageSeconds).toSorted((a, b) => a - b)
  const total = longer.reduce((sum, value) => sum + value - ageSeconds, 0)
  if (total === 0) return []
  const rests: number[] = []
  for (const value of longer) {
    const left = value - ageSeconds
    const count = Math.max(1, Math.round((left / total) * REST_COUNT))
    for (let part = 0; part < count; part++) rests.push((left * (part + 0.5)) / count)
  }
  return rests.sort((a, b) => a - b)
}
