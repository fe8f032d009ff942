// Remembers which choices had no capacity and for how long to leave them alone, and when on-demand VMs may stand in for spot.
import type { PoolLimits } from '../core/job-config.ts'
import type { LaunchFailure, LaunchPlan } from '../infra/provider.ts'
import type { Choice } from './select-offers.ts'
import { type Place, placeKey, placeOf } from './select-rank.ts'

const FIRST_PAUSE_SECONDS = 30
const MAX_PAUSE_SECONDS = 600 // capacity comes back within minutes more often than not

interface Setback {
  readonly failureCount: number
  /** Milliseconds since 1970. */
  readonly until: number
}

/** What another market of the same job knew. */
export interface MarketMemory {
  readonly setbacks: Readonly<Record<string, Setback>>
  readonly preemptionCount: number
  readonly refusedSince?: number | undefined
}

export class SpotMarket {
  readonly #fallback: PoolLimits['onDemandFallback']
  readonly #setbacks: Map<string, Setback>
  #preemptionCount: number
  /** Since when spot launches have been failing. */
  #refusedSince: number | undefined

  constructor(fallback: PoolLimits['onDemandFallback'], memory?: MarketMemory) {
    this.#fallback = fallback
    this.#setbacks = new Map(Object.entries(memory?.setbacks ?? {}))
    this.#preemptionCount = memory?.preemptionCount ?? 0
    this.#refusedSince = memory?.refusedSince
  }

  memory(now: Date): MarketMemory {
    const oldest = now.getTime() - MAX_PAUSE_SECONDS * 1000
    return {
      setbacks: Object.fromEntries([...this.#setbacks].filter(([, { until }]) => until > oldest)),
      preemptionCount: this.#preemptionCount,
      ...(this.#refusedSince === undefined ? undefined : { refusedSince: this.#refusedSince }),
    }
  }

  preempted(): void {
    this.#preemptionCount += 1
  }

  /** What can be tried now, best first. */
  usable(choices: readonly Choice[], now: Date): readonly Choice[] {
    const rested = choices.filter(
      choice => (this.#setbacks.get(placeKey(placeOf(choice)))?.until ?? 0) <= now.getTime(),
    )
    if (choices.every(choice => !choice.spot)) return rested
    if (this.#tooManyPreemptions()) return rested.filter(choice => !choice.spot)
    return rested.filter(choice => choice.spot || this.#waitedLongEnough(now))
  }

  report(plan: LaunchPlan, launchedCount: number, failures: readonly LaunchFailure[], now: Date): void {
    for (const { instanceType, zone } of failures) this.#pause({ instanceType, zone, spot: plan.spot }, now)
    if (!plan.spot) return
    if (launchedCount > 0) this.#refusedSince = undefined
    else if (failures.length > 0) this.#refusedSince ??= now.getTime()
  }

  #pause(what: Place, now: Date): void {
    const key = placeKey(what)
    const failureCount = (this.#setbacks.get(key)?.failureCount ?? 0) + 1
    const pauseSeconds = Math.min(FIRST_PAUSE_SECONDS * 2 ** (failureCount - 1), MAX_PAUSE_SECONDS)
    this.#setbacks.set(key, { failureCount, until: now.getTime() + pauseSeconds * 1000 })
  }

  #tooManyPreemptions(): boolean {
    return typeof this.#fallback === 'object' && 'afterPreemptions' in this.#fallback
      ? this.#preemptionCount >= this.#fallback.afterPreemptions
      : false
  }

  #waitedLongEnough(now: Date): boolean {
    if (typeof this.#fallback !== 'object' || !('afterWaitSeconds' in this.#fallback)) return false
    if (this.#refusedSince === undefined) return false
    return now.getTime() - this.#refusedSince >= this.#fallback.afterWaitSeconds * 1000
  }
}
