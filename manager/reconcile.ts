// Decides what to do about the VMs: a pure function of the work left, the VMs, the offers, the money and the configuration.
import type { VmId } from '../core/ids.ts'
import type { JobConfig } from '../core/job-config.ts'
import type { Vm } from '../infra/provider.ts'
import { type PoolSums, planLaunch, sumOf } from './reconcile-launch.ts'
import { findSilent, type SignsOfLife } from './reconcile-silence.ts'
import type { Choice } from './select-offers.ts'
import type { Stillborn } from './vm-watch.ts'

export interface PoolView {
  readonly now: Date
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
  /** What the job's VMs have cost so far. */
  readonly spentUsd: number
  /** How long VMs may run on before the next decision can stop them, and be billed. */
  readonly horizonSeconds: number
  readonly stillborn: Stillborn
}

export type Action =
  | { readonly kind: 'launch'; readonly vmCount: number; readonly choices: readonly Choice[] }
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

export function reconcile(view: PoolView): Decision {
  if (view.vms === undefined) return idleDecision('the VMs could not be listed')
  const active = view.vms.filter(vm => vm.state === 'starting' || vm.state === 'running')
  if (view.unfinishedCount === 0) return endAll(active, 'all tasks are done')

  const broke = moneyIsOut(view, sumOf(active, view.config.tasks))
  if (broke !== undefined) return abort(active, broke)
  if (view.stillborn.count >= MAX_STILLBORN) return abort(active, stillbornText(view))

  const silence = findSilent(active, view.signs, view.config.watch)
  if (silence.kind === 'all') return abort(active, silence.because)
  const silent = new Set(silence.ids)
  const heard = active.filter(vm => !silent.has(vm.id))
  const superfluous = findSuperfluous(heard, view)
  const kept = heard.filter(vm => !superfluous.includes(vm.id))

  const { launch, reason, warning } = planLaunch({ ...view, sums: sumOf(kept, view.config.tasks) })
  return {
    actions: [
      ...terminate(silence.ids, silence.because),
      ...terminate(superfluous, 'idle'),
      ...(launch === undefined ? [] : [launch]),
    ],
    reason,
    warnings: [...silence.warnings, ...(warning === undefined ? [] : [warning])],
  }
}

function moneyIsOut({ config, spentUsd, horizonSeconds, choices }: PoolView, sums: PoolSums): string | undefined {
  const { maxTotalCostUsd } = config.pool
  if (maxTotalCostUsd === undefined) return undefined
  // With no VM the question is whether even the cheapest could still be paid for.
  const cheapest = Math.min(...choices.map(({ offer }) => offer.priceUsdPerHour))
  const ratePerHour = sums.vmCount > 0 ? sums.usdPerHour : Number.isFinite(cheapest) ? cheapest : 0
  const next = spentUsd + (ratePerHour * horizonSeconds) / 3600
  if (next <= maxTotalCostUsd) return undefined
  return `the job has cost ${usd(spentUsd)}, and its next ${horizonSeconds} s would exceed max_total_cost ${usd(maxTotalCostUsd)}`
}

/** Idle VMs without which every task left still has its place. */
function findSuperfluous(vms: readonly Vm[], { idle, unfinishedCount, config }: PoolView): VmId[] {
  let slotCount = sumOf(vms, config.tasks).slotCount
  const found: VmId[] = []
  for (const vm of vms) {
    if (!idle.has(vm.id)) continue
    const left = slotCount - sumOf([vm], config.tasks).slotCount
    if (left < unfinishedCount) continue
    found.push(vm.id)
    slotCount = left
  }
  return found
}

function stillbornText({ stillborn }: PoolView): string {
  return (
    `${stillborn.count} VMs in a row ended before they could work, the last one so: ` +
    `${stillborn.endReason.trim().replace(/\.$/, '')}. Mend the task or the startup script (a VM's console log says more)`
  )
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

function usd(amount: number): string {
  return `$${amount.toFixed(amount < 1 ? 4 : 2)}`
}
