// Median, percentiles and a bootstrap interval. Knows nothing of flights.

export interface Interval {
  readonly low: number
  readonly high: number
}

/** Percentile by linear interpolation between the two nearest values, as NumPy does; `sorted` must ascend. */
export function quantile(sorted: Float64Array, share: number): number {
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)] ?? Number.NaN
  const above = sorted[Math.ceil(position)] ?? Number.NaN
  return below + (above - below) * (position - Math.floor(position))
}

export function mean(values: Float64Array): number {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}

/** The middle `confidence` of the means of `resamples` samples drawn with replacement: same seed, same interval. */
export function bootstrapMean(
  values: Float64Array,
  { resamples, confidence, seed }: { resamples: number; confidence: number; seed: number },
): Interval {
  const random = seededRandom(seed)
  const means = new Float64Array(resamples)
  for (let sample = 0; sample < resamples; sample++) {
    let sum = 0
    for (let draw = 0; draw < values.length; draw++) sum += values[Math.floor(random() * values.length)] ?? Number.NaN
    means[sample] = sum / values.length
  }
  means.sort()
  const tail = (1 - confidence) / 2
  return { low: quantile(means, tail), high: quantile(means, 1 - tail) }
}

/** Mulberry32 by Tommy Ettinger (public domain): 32 bits of state are plenty for 10^8 draws of a bootstrap. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}
