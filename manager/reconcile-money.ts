// Keeps a job below max_total_cost: every VM is launched with a lifetime that is paid in advance out of what is left. Pure.
//
// spent + reserved ≤ max_total_cost holds at every moment, because a launch reserves what its VMs cost until the end of the
// lifetime they are given, and a VM ends by itself at that time: also when no manager is there to end it.
import type { VmId } from '../core/ids.ts'
import type { JobConfig } from '../core/job-config.ts'
import type { Vm } from '../infra/provider.ts'
import type { Choice } from './select-offers.ts'

export interface MoneyView {
  readonly now: Date
  readonly config: Pick<JobConfig, 'pool'>
  /** What the job's VMs have cost so far. */
  readonly spentUsd: number
  /** How long VMs may run on before the next decision can stop them, and be billed. */
  readonly horizonSeconds: number
  /** A VM is not launched for less: its boot, the cloud's minimum billing and some work. Default: the horizon. */
  readonly leastPaidSeconds?: number
  /** A VM ends by itself after this. */
  readonly mostPaidSeconds?: number | undefined
  /** When the money reserved for each VM ends. */
  readonly paidUntil?: ReadonlyMap<VmId, Date>
}

/** What the VMs can still cost before they end: to the end of their paid time, or of the horizon where nothing was reserved. */
export function reservedUsd(vms: readonly Vm[], { now, horizonSeconds, paidUntil }: MoneyView): number {
  let sum = 0
  for (const { id, priceUsdPerHour = 0 } of vms) {
    const until = paidUntil?.get(id)
    const seconds = until === undefined ? horizonSeconds : Math.max(0, (until.getTime() - now.getTime()) / 1000)
    sum += (priceUsdPerHour * seconds) / 3600
  }
  return sum
}

/** What the VMs cost until the next look. */
export function horizonUsd(vms: readonly Vm[], { horizonSeconds }: Pick<MoneyView, 'horizonSeconds'>): number {
  return vms.reduce((sum, vm) => sum + ((vm.priceUsdPerHour ?? 0) * horizonSeconds) / 3600, 0)
}

/** VMs whose paid time would be over before the next look. */
export function findUnpaid(vms: readonly Vm[], { now, config, horizonSeconds, paidUntil }: MoneyView): VmId[] {
  if (config.pool.maxTotalCostUsd === undefined) return []
  const nextLook = now.getTime() + horizonSeconds * 1000
  return vms.filter(({ id }) => (paidUntil?.get(id)?.getTime() ?? Number.POSITIVE_INFINITY) < nextLook).map(vm => vm.id)
}

/** Why the job cannot go on, if so: the next look would come too late, or no VM is left and none can be paid. */
export function moneyIsOut(view: MoneyView, active: readonly Vm[], choices: readonly Choice[]): string | undefined {
  const { config, spentUsd, horizonSeconds, leastPaidSeconds = horizonSeconds } = view
  const { maxTotalCostUsd } = config.pool
  if (maxTotalCostUsd === undefined) return undefined
  const limit = `${LIMIT} ${renderUsd(maxTotalCostUsd)}`
  if (active.length > 0) {
    if (ends(view, active) || spentUsd + horizonUsd(active, view) <= maxTotalCostUsd) return undefined
    return `the job has cost ${renderUsd(spentUsd)}, and its next ${horizonSeconds} s would exceed ${limit}`
  }
  if (choices.length === 0) return undefined
  const cheapest = Math.min(...choices.map(({ offer }) => offer.priceUsdPerHour))
  if (spentUsd + (cheapest * leastPaidSeconds) / 3600 <= maxTotalCostUsd) return undefined
  return `the job has cost ${renderUsd(spentUsd)}, and the ${leastPaidSeconds} s of a VM at least would exceed ${limit}`
}

const LIMIT = 'max_total_cost'

/** Whether a sentence of `moneyIsOut` is what a job stopped for. */
export function isAboutMoney(because: string): boolean {
  return because.includes(LIMIT)
}

/** All VMs are paid for, so that none has to be ended before its time. */
function ends({ paidUntil }: MoneyView, active: readonly Vm[]): boolean {
  return active.every(({ id }) => paidUntil?.has(id) === true)
}

/** How long each of `vmCount` new VMs can be paid for; undefined without a limit of money. */
export function paidSecondsOf(
  vmCount: number,
  choices: readonly Choice[],
  leftUsd: number | undefined,
  mostPaidSeconds = Number.POSITIVE_INFINITY,
): number | undefined {
  if (leftUsd === undefined) return undefined
  const dearest = Math.max(...choices.map(({ offer }) => offer.priceUsdPerHour)) // the cloud may take any of them
  const share = (leftUsd - vmCount * ROUNDING_USD) / (vmCount * dearest)
  return Math.floor(Math.min(share * 3600 + 1e-6, mostPaidSeconds, LONGEST_SECONDS))
}

const ROUNDING_USD = 5e-7 // the cost of a VM is rounded to a micro-dollar
const LONGEST_SECONDS = 31_536_000 // a year: a VM that costs nothing

function renderUsd(amount: number): string {
  return `$${amount.toFixed(amount < 1 ? 4 : 2)}`
}
