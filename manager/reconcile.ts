// Decides what to do about the VMs: a pure function of the work left, the VMs, the offers, the money and the configuration.
import type { VmId } from '../core/ids.ts'
import type { JobConfig } from '../core/job-config.ts'
import type { Vm } from '../infra/provider.ts'
import type { PoolOrders } from './controls.ts'
import { type Launch, type LaunchDecision, planLaunch, spreadLaunch, sumOf } from './reconcile-launch.ts'
import { findUnpaid, horizonUsd, type MoneyView, moneyIsOut, reservedUsd } from './reconcile-money.ts'
import { findSilent, type SignsOfLife } from './reconcile-silence.ts'
import { type Choice, tasksPerVm } from './select-offers.ts'
import type { Stillborn } from './vm-watch.ts'

export interface PoolView extends MoneyView {
  readonly config: Pick<JobConfig, 'pool' | 'tasks' | 'watch'>
  /** Tasks without a final result. */
  readonly unfinishedCount: number
  /** undefined = the listing failed. */
  readonly vms: readonly Vm[] | undefined
  /** VMs that are known to hold no task. */
  readonly idle: ReadonlySet<VmId>
  /** Best first. */
  readonly choices: readonly Choice[]
  readonly signs: SignsOfLife
  readonly stillborn: Stillborn
  /** No VM of the job has shown yet that it can work, and one is to show it before others are paid for. Absent = it is not asked. */
  readonly unproven?: boolean
  /** The count of tasks is rough: 0 may mean that some are left. Absent = it is exact. */
  readonly roughCount?: boolean
  /** Absent where nobody can ask for anything. */
  readonly orders?: PoolOrders
}

export type Action =
  | Launch
  | { readonly kind: 'terminate'; readonly ids: readonly VmId[]; readonly because: string }
  /** The job cannot go on. Comes after the termination of its VMs. */
  | { readonly kind: 'abort'; readonly because: string }

export interface Decision {
  readonly actions: readonly Action[]
  /** One line for a log: why this and not more. */
  readonly reason: string
  readonly warnings: readonly string[]
}

const MAX_STILLBORN = 3 // one may be an accident of its machine; three are the startup script's fault
const OUT_OF_MONEY = 'the money for its lifetime is used up'

export function reconcile(view: PoolView): Decision {
  if (view.vms === undefined) return idleDecision('the VMs could not be listed')
  const active = view.vms.filter(vm => vm.state === 'starting' || vm.state === 'running')
  if (view.unfinishedCount === 0) {
    if (view.roughCount !== true) return endAll(active, 'all tasks are done')
    const reason = 'no task seems to be left; VMs without work end by themselves'
    return { ...idleDecision(reason), actions: terminate(findUnpaid(active, view), OUT_OF_MONEY) }
  }
  if (view.orders?.paused) return endAll(active, 'the job is paused')

  const broke = moneyIsOut(view, active, view.choices)
  if (broke !== undefined) return abort(active, broke)
  if (view.stillborn.count >= (view.unproven ? 1 : MAX_STILLBORN)) return abort(active, stillbornText(view))

  const silence = findSilent(active, view.signs, view.config.watch)
  if (silence.kind === 'all') return abort(active, silence.because)
  const silent = new Set(silence.ids)
  const heard = active.filter(vm => !silent.has(vm.id))
  const unpaid = new Set(findUnpaid(heard, view))
  const paid = heard.filter(vm => !unpaid.has(vm.id))
  const superfluous = findSuperfluous(paid, view)
  const needed = paid.filter(vm => !superfluous.has(vm.id))
  const excess = new Set(findExcess(needed, view))
  const kept = needed.filter(vm => !excess.has(vm.id))

  const keptIds = new Set(kept.map(vm => vm.id))
  const ending = view.vms.filter(vm => vm.state !== 'terminated' && !keptIds.has(vm.id))
  const [first] = view.unproven ? kept : []
  const plan = () =>
    planLaunch({
      ...view,
      sums: sumOf(kept, view.config.tasks),
      // What is being ended is still billed for a while.
      reservedUsd: reservedUsd(kept, view) + horizonUsd(ending, view),
    })
  const { launch, reason, warning } = first === undefined ? onlyOne(plan(), view) : waitFor(first)
  return {
    actions: [
      ...terminate(silence.ids, silence.because),
      ...terminate([...unpaid], OUT_OF_MONEY),
      ...terminate([...superfluous], 'idle'),
      ...terminate([...excess], `max_instances is ${view.config.pool.maxInstances} now`),
      ...(launch === undefined ? [] : spreadLaunch(launch, view.config.tasks)),
    ],
    reason,
    warnings: [...silence.warnings, ...(warning === undefined ? [] : [warning])],
  }
}

/** Idle VMs without which every task left still has its place. */
function findSuperfluous(vms: readonly Vm[], { idle, unfinishedCount, config }: PoolView): ReadonlySet<VmId> {
  const found = new Set<VmId>()
  if (idle.size === 0) return found
  let { slotCount } = sumOf(vms, config.tasks)
  for (const vm of vms) {
    if (!idle.has(vm.id)) continue
    const left = slotCount - tasksPerVm(vm.vcpuCount, config.tasks)
    if (left < unfinishedCount) continue
    found.add(vm.id)
    slotCount = left
  }
  return found
}

/** Where somebody has lowered max_instances: the youngest, which have the least to lose. Otherwise a limit ends no VM. */
function findExcess(vms: readonly Vm[], { orders, config }: PoolView): readonly VmId[] {
  const count = vms.length - config.pool.maxInstances
  if (orders?.limits.maxInstances === undefined || count <= 0) return []
  const youngest = vms.toSorted((a, b) => b.launchedAt.getTime() - a.launchedAt.getTime())
  return youngest.slice(0, count).map(vm => vm.id)
}

/** One VM until it has shown that it can work: a broken startup script then costs one VM, not a fleet. */
function onlyOne(plan: LaunchDecision, { unproven }: PoolView): LaunchDecision {
  if (!unproven || plan.launch === undefined) return plan
  return {
    launch: { ...plan.launch, vmCount: 1 },
    reason: 'one VM, to show that it can work before others are started',
  }
}

function waitFor({ id }: Vm): LaunchDecision {
  return { reason: `the first VM, ${id}, has yet to show that it can work` }
}

function stillbornText({ stillborn }: PoolView): string {
  const { count, vmId, endReason } = stillborn
  const who =
    count === 1
      ? `VM ${vmId ?? ''} ended by itself before it could work: `
      : `${count} VMs in a row ended before they could work, the last one${vmId === undefined ? '' : `, ${vmId},`} so: `
  return `${who}${endReason.trim().replace(/\.$/, '')}. Mend the task or the startup script (a VM's console log says more)`
}

function terminate(ids: readonly VmId[], because: string): Action[] {
  return ids.length === 0 ? [] : [{ kind: 'terminate', ids, because }]
}

function endAll(active: readonly Vm[], reason: string): Decision {
  const ids = active.map(vm => vm.id)
  return { actions: terminate(ids, reason), reason, warnings: [] }
}

function abort(active: readonly Vm[], because: string): Decision {
  const { actions } = endAll(active, because)
  return { actions: [...actions, { kind: 'abort', because }], reason: because, warnings: [] }
}

function idleDecision(reason: string): Decision {
  return { actions: [], reason, warnings: [] }
}
