// Orders choices by what a completed task is expected to cost: the price of its place, divided by the chance to keep it. Pure.
import type { TaskRules } from '../core/job-config.ts'
import type { Offer, Vm } from '../infra/provider.ts'
import type { Choice } from './select-offers.ts'

/** One instance type in one zone, spot or not: what a cloud takes back or runs out of as one. */
export interface Place {
  readonly instanceType: string
  readonly zone: string
  readonly spot: boolean
}

export function placeKey({ instanceType, zone, spot }: Place): string {
  return `${instanceType} ${zone} ${spot}`
}

export function placeOf({ offer, spot }: Choice): Place {
  return { instanceType: offer.instanceType, zone: offer.zone, spot }
}

interface PlaceRecord {
  vmHours: number
  preemptionCount: number
}

/** What this job saw of each place. */
export type PlaceHistory = ReadonlyMap<string, Readonly<PlaceRecord>>

export function historyOf(vms: readonly Vm[], now: Date): PlaceHistory {
  const history = new Map<string, PlaceRecord>()
  for (const vm of vms) {
    const key = placeKey(vm)
    const record = history.get(key) ?? { vmHours: 0, preemptionCount: 0 }
    record.vmHours += Math.max(0, (vm.endedAt ?? now).getTime() - vm.launchedAt.getTime()) / 3_600_000
    if (vm.endReason === 'preempted') record.preemptionCount += 1
    history.set(key, record)
  }
  return history
}

// Before anything is known a spot VM is expected to be taken back once in 20 hours; 20 hours seen weigh as much as that.
const PRIOR_HOURS = 20
const PRIOR_PREEMPTIONS = 1
const LOST_HOURS = 0.1 // what a preemption wastes: the boot of the next VM and half of what was under way

const USUAL_INTERRUPTION_SHARE = 0.075 // a month: the middle of the band that most types of AWS are in

/** How often VMs of this offer are taken back, measured by what is usual; 1 where the cloud does not say. */
export function interruptionRisk({ monthlyInterruptionShare: share }: Offer): number {
  return share === undefined ? 1 : share / USUAL_INTERRUPTION_SHARE
}

/** The share of a VM's time there that is not lost to preemptions. */
function survivalOf(choice: Choice, history: PlaceHistory): number {
  if (!choice.spot) return 1
  const { vmHours, preemptionCount } = history.get(placeKey(placeOf(choice))) ?? { vmHours: 0, preemptionCount: 0 }
  const expectedCount = PRIOR_PREEMPTIONS * interruptionRisk(choice.offer)
  const preemptionsPerHour = (preemptionCount + expectedCount) / (vmHours + PRIOR_HOURS)
  return 1 / (1 + preemptionsPerHour * LOST_HOURS)
}

/** Best first; all spot before all on demand. Equals stay in their order. */
export function rankChoices(choices: readonly Choice[], tasks: TaskRules, history: PlaceHistory): Choice[] {
  const ranked = choices.map(choice => ({ ...choice, survival: survivalOf(choice, history) }))
  const cost = (choice: Choice) => Math.round(expectedUsdPerCpuHour(choice, tasks) * 1e4) // less is no reason for smaller VMs
  return ranked.sort((a, b) => Number(b.spot) - Number(a.spot) || cost(a) - cost(b))
}

/** Of a vCPU that tasks can use. */
export function expectedUsdPerCpuHour({ offer, tasksPerVm, survival = 1 }: Choice, { cpusPerTask }: TaskRules): number {
  const usableCpus = Math.min(offer.vcpuCount, tasksPerVm * cpusPerTask)
  return offer.priceUsdPerHour / usableCpus / survival
}
