// How late are the flights of one group: median, 95th percentile, mean and how sure we are of the mean.
import { delaysOf, type Group } from './flights.ts'
import { bootstrapMean, type Interval, mean, quantile } from './statistics.ts'

const RESAMPLES = 1000
const CONFIDENCE = 0.95
const FEWEST_FOR_INTERVAL = 10 // below, a bootstrap promises more than so few flights can tell

/** Minutes after schedule. */
export interface Delays {
  readonly flights: number
  readonly median: number
  readonly p95: number
  readonly mean: number
  /** 95 % confidence interval of the mean; null for fewer than 10 flights. */
  readonly interval: Interval | null
}

export default function summariseDelays(_taskId: string, { group, seed }: { group: Group; seed: number }): Delays {
  const delays = delaysOf(group)
  const sorted = delays.toSorted()
  return {
    flights: delays.length,
    median: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    mean: mean(delays),
    interval:
      delays.length < FEWEST_FOR_INTERVAL
        ? null
        : bootstrapMean(delays, { resamples: RESAMPLES, confidence: CONFIDENCE, seed }),
  }
}
