// How many VMs of which kind to start: as many as the work left needs, within every bound of the pool. Pure.
import type { JobConfig, TaskRules } from '../core/job-config.ts'
import type { Vm } from '../infra/provider.ts'
import { atLeast, timesToCover, timesWithin } from './exact-division.ts'
import { paidSecondsOf } from './reconcile-money.ts'
import { type Choice, tasksPerVm } from './select-offers.ts'
import { expectedUsdPerCpuHour } from './select-rank.ts'

/** What the VMs that stay add up to. */
export interface PoolSums {
  readonly vmCount: number
  readonly vcpuCount: number
  readonly usdPerHour: number
  /** Tasks that run at once. */
  readonly slotCount: number
}

export interface LaunchInputs {
  readonly config: Pick<JobConfig, 'pool' | 'tasks'>
  readonly sums: PoolSums
  readonly unfinishedCount: number
  /** Best first. */
  readonly choices: readonly Choice[]
  readonly spentUsd: number
  readonly horizonSeconds: number
  /** What the VMs that stay can still cost. Default: the horizon of each. */
  readonly reservedUsd?: number
  /** See reconcile-money.ts. */
  readonly leastPaidSeconds?: number
  readonly mostPaidSeconds?: number | undefined
}

export interface Launch {
  readonly kind: 'launch'
  readonly vmCount: number
  /** Best first; any mixture of them keeps every bound. */
  readonly choices: readonly Choice[]
  /** For how long money is reserved for each VM: its lifetime. Absent without max_total_cost. */
  readonly paidSeconds?: number
}

export interface LaunchDecision {
  readonly launch?: Launch
  readonly reason: string
  readonly warning?: string
}

export function sumOf(vms: readonly Vm[], tasks: TaskRules): PoolSums {
  let [vcpuCount, usdPerHour, slotCount] = [0, 0, 0]
  for (const vm of vms) {
    vcpuCount += vm.vcpuCount
    usdPerHour += vm.priceUsdPerHour ?? 0
    slotCount += tasksPerVm(vm.vcpuCount, tasks)
  }
  return { vmCount: vms.length, vcpuCount, usdPerHour, slotCount }
}

export function planLaunch(inputs: LaunchInputs): LaunchDecision {
  const { choices, sums, unfinishedCount } = inputs
  if (unfinishedCount <= sums.slotCount) return { reason: 'the VMs have a place for every task left' }
  if (choices.length === 0) return { reason: 'no instance type has capacity now' }

  const refusals: string[] = []
  for (const choice of choices) {
    const most = mostOf(choice, inputs)
    const unmet = most.vmCount > 0 ? unmetMinimum(choice, most, inputs) : undefined
    if (most.vmCount > 0 && unmet === undefined) {
      const { vmCount } = most
      const others = alternatives(choice, vmCount, inputs)
      const paidSeconds = paidSecondsOf(vmCount, others, leftUsd(inputs), inputs.mostPaidSeconds)
      return {
        launch: {
          kind: 'launch',
          vmCount,
          choices: others,
          ...(paidSeconds === undefined ? undefined : { paidSeconds }),
        },
        reason: `${vmCount} more VMs, as many as ${most.limitedBy}`,
      }
    }
    refusals.push(unmet ?? `${most.limitedBy} no more`)
  }
  const refusal = refusals[0] ?? ''
  if (refusal.startsWith('min_')) return { reason: refusal, warning: `No VM is started: ${refusal}` }
  const stuck = sums.vmCount === 0 // with VMs at work a bound that is reached is the normal state
  return { reason: refusal, ...(stuck ? { warning: `No VM can be started: ${refusal}` } : undefined) }
}

interface Most {
  readonly vmCount: number
  /** The bound that is reached first. */
  readonly limitedBy: string
  /** True if the work left, not a limit, is what bounds it. */
  readonly enough: boolean
}

function mostOf({ offer, tasksPerVm: slots }: Choice, inputs: LaunchInputs): Most {
  const { config, sums, unfinishedCount, horizonSeconds, leastPaidSeconds = horizonSeconds } = inputs
  const { pool } = config
  const price = offer.priceUsdPerHour
  const limits: [string, number][] = [['max_instances allows', pool.maxInstances - sums.vmCount]]
  if (pool.maxSimultaneousTasks !== undefined) {
    limits.push(['max_simultaneous_tasks allows', timesWithin(pool.maxSimultaneousTasks - sums.slotCount, slots)])
  }
  if (pool.maxTotalCpus !== undefined) {
    limits.push(['max_total_cpus allows', timesWithin(pool.maxTotalCpus - sums.vcpuCount, offer.vcpuCount)])
  }
  limits.push(['max_total_price_per_hour allows', timesWithin(pool.maxTotalUsdPerHour - sums.usdPerHour, price)])
  const left = leftUsd(inputs)
  if (left !== undefined) limits.push(['max_total_cost allows', timesWithin(left, (price * leastPaidSeconds) / 3600)])
  const needed = timesToCover(unfinishedCount - sums.slotCount, slots)
  const [limitedBy, allowed] = limits.reduce((least, limit) => (limit[1] < least[1] ? limit : least))
  if (needed <= allowed) return { vmCount: needed, limitedBy: 'the work left needs', enough: true }
  return { vmCount: Math.max(0, allowed), limitedBy, enough: false }
}

/** Neither spent nor reserved; undefined without a limit. */
function leftUsd({ config, sums, spentUsd, horizonSeconds, reservedUsd }: LaunchInputs): number | undefined {
  const { maxTotalCostUsd } = config.pool
  if (maxTotalCostUsd === undefined) return undefined
  return maxTotalCostUsd - spentUsd - (reservedUsd ?? (sums.usdPerHour * horizonSeconds) / 3600)
}

/** A pool that cannot become worth its while is not started at all. Little work left is no reason to refuse. */
function unmetMinimum(choice: Choice, most: Most, { config, sums }: LaunchInputs): string | undefined {
  if (most.enough) return undefined
  const { pool } = config
  const { offer, tasksPerVm: slots } = choice
  const count = most.vmCount
  const reached: [string, number | undefined, number][] = [
    ['min_instances', pool.minInstances, sums.vmCount + count],
    ['min_total_cpus', pool.minTotalCpus, sums.vcpuCount + count * offer.vcpuCount],
    ['min_total_price_per_hour', pool.minTotalUsdPerHour, sums.usdPerHour + count * offer.priceUsdPerHour],
    ['min_simultaneous_tasks', pool.minSimultaneousTasks, sums.slotCount + count * slots],
  ]
  const missed = reached.find(([, min, value]) => min !== undefined && !atLeast(value, min))
  if (missed === undefined) return undefined
  return `${missed[0]} ${missed[1]} cannot be reached: ${most.limitedBy} ${missed[2]}`
}

const PRICE_BAND = 1.5 // a dearer place is tried only when all within the band have no capacity
const SPREAD_BAND = 1.1 // places that cost nearly the same share the VMs, so that losing one is not losing all
const MAX_SHARES = 4
const MIN_VMS_PER_SHARE = 2

/** The adapter may fall back to any of these, so each must keep every bound with this many VMs. */
function alternatives(best: Choice, vmCount: number, inputs: LaunchInputs): Choice[] {
  const { tasks } = inputs.config
  const most = expectedUsdPerCpuHour(best, tasks) * PRICE_BAND
  return inputs.choices
    .slice(inputs.choices.indexOf(best))
    .filter(choice => choice.spot === best.spot)
    .filter(choice => choice === best || expectedUsdPerCpuHour(choice, tasks) <= most)
    .filter(choice => choice === best || mostOf(choice, inputs).vmCount >= vmCount)
}

/** One launch as several, each led by another of the best places; in total the same. */
export function spreadLaunch(launch: Launch, tasks: TaskRules): Launch[] {
  const [best] = launch.choices
  if (best === undefined) return [launch]
  const most = expectedUsdPerCpuHour(best, tasks) * SPREAD_BAND
  const leaders = launch.choices
    .filter(choice => expectedUsdPerCpuHour(choice, tasks) <= most)
    .slice(0, Math.max(1, Math.min(MAX_SHARES, Math.floor(launch.vmCount / MIN_VMS_PER_SHARE))))
  const share = Math.floor(launch.vmCount / leaders.length)
  const rest = launch.vmCount % leaders.length
  return leaders.map((leader, index) => ({
    ...launch,
    vmCount: share + (index < rest ? 1 : 0),
    choices: [leader, ...launch.choices.filter(choice => choice !== leader)],
  }))
}
