// What a job would do and cost, before anything is touched: the choice, the VMs, the forecast and what is wrong with it. Pure.
import type { JobConfig } from '../core/job-config.ts'
import type { Offer, ProviderLimits } from '../infra/provider.ts'
import { type Forecast, forecastJob } from './plan-forecast.ts'
import { planWarnings } from './plan-warnings.ts'
import { poolTimesOf } from './pool-times.ts'
import { type LaunchDecision, planLaunch } from './reconcile-launch.ts'
import { type Choice, selectOffers } from './select-offers.ts'

export interface PlanInputs {
  readonly config: JobConfig
  /** As the job would choose from, spot or on demand as it asks. */
  readonly offers: readonly Offer[]
  /** undefined: the provider's adapter is not there, so its limits are not known. */
  readonly limits: ProviderLimits | undefined
  readonly tasks: TaskFacts
  /** How long tasks take: measured, or given. Empty = not known. */
  readonly taskSeconds: readonly number[]
  readonly sample: SampleFacts | undefined
}

/** What reading the task file says. */
export interface TaskFacts {
  /** undefined = not known: as many as the pool can take. */
  readonly count: number | undefined
  readonly largest: { readonly taskId: string; readonly bodyBytes: number } | undefined
}

/** What running some of the tasks here says. */
export interface SampleFacts {
  readonly taskCount: number
  readonly failedCount: number
  /** Of the first that failed. */
  readonly failure: string | undefined
  readonly maxRssBytes: number | undefined
}

export interface Plan {
  readonly taskCount: number | undefined
  readonly choice: Choice
  readonly instancesToStart: number
  readonly reason: string
  /** undefined without a number of tasks or without their durations. */
  readonly forecast: Forecast | undefined
  readonly warnings: readonly string[]
}

/** Throws a UserError if no offer fits. */
export function planJob(inputs: PlanInputs): Plan {
  const { config, tasks, taskSeconds } = inputs
  const decision = firstLaunch(selectOffers(inputs.offers, config, { spot: config.pool.spot }), config, tasks.count)
  const choice = decision.launch?.choices[0] ?? decision.choice
  const instancesToStart = decision.launch?.vmCount ?? 0
  const forecast =
    tasks.count === undefined || tasks.count === 0 || taskSeconds.length === 0 || instancesToStart === 0
      ? undefined
      : forecastJob({ config, choice, vmCount: instancesToStart, taskCount: tasks.count, taskSeconds })
  return {
    taskCount: tasks.count,
    choice,
    instancesToStart,
    reason: decision.reason,
    forecast,
    warnings: planWarnings({ ...inputs, choice, decision, forecast }),
  }
}

/** The reconciler's own answer to an empty pool: what `run` would start first. */
export function firstLaunch(
  choices: readonly Choice[],
  config: JobConfig,
  taskCount: number | undefined,
): LaunchDecision & { readonly choice: Choice } {
  const [choice] = choices
  if (choice === undefined) throw new Error('No offer to choose from: selectOffers refuses that.')
  const decision = planLaunch({
    config,
    choices,
    sums: { vmCount: 0, vcpuCount: 0, usdPerHour: 0, slotCount: 0 },
    unfinishedCount: taskCount ?? Number.MAX_SAFE_INTEGER,
    spentUsd: 0,
    ...poolTimesOf(config),
  })
  return { ...decision, choice }
}
