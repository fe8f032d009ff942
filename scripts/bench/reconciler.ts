// How long the reconciler thinks about ten thousand VMs: with work for all, and in the end when many of them are idle.
import { vmId } from '../../core/ids.ts'
import type { Vm } from '../../infra/provider.ts'
import { type PoolView, reconcile } from '../../manager/reconcile.ts'
import { historyOf, rankChoices } from '../../manager/select-rank.ts'
import { scenario } from '../simulate/scenario.ts'
import type { Context } from './context.ts'
import { alternate } from './measure.ts'
import type { Row } from './row.ts'

const VM_COUNT = 10_000
const TARGET_MS = 50

export async function measureReconciler({ repeats, say }: Context): Promise<readonly Row[]> {
  say(`a decision about ${VM_COUNT} VMs`)
  const median = await alternate(
    { steady: async () => decide(viewOf('steady')), end: async () => decide(viewOf('end')) },
    { repeats: Math.max(repeats, 5) },
  )
  const count = VM_COUNT.toLocaleString('en-US')
  const target = { below: TARGET_MS }
  return [
    { what: `reconciler: a decision about ${count} VMs`, unit: 'ms', ours: median.steady, target },
    { what: `reconciler: the same when half of them are idle`, unit: 'ms', ours: median.end, target },
  ]
}

/** With the ranking of the places, which each decision begins with. */
function decide(view: PoolView): number {
  const before = performance.now()
  const choices = rankChoices(view.choices, view.config.tasks, historyOf(view.vms ?? [], view.now))
  const { actions } = reconcile({ ...view, choices })
  const ms = performance.now() - before
  if (actions.length === 0) throw new Error('The reconciler had something to do and did nothing.')
  return ms
}

function viewOf(kind: 'steady' | 'end'): PoolView {
  const { config, choices } = scenario({ seed: 1, taskCount: 1, vmCount: VM_COUNT + 100 })
  const now = new Date(1e12)
  const vms = Array.from({ length: VM_COUNT }, (_, index): Vm => {
    const { offer, spot } = choices[index % choices.length] ?? raise()
    const { instanceType, zone, vcpuCount, priceUsdPerHour } = offer
    return {
      id: vmId(`bench-vm-with-a-rather-long-name-${index}`),
      jobId: 'bench',
      state: index % 50 === 0 ? 'starting' : 'running',
      instanceType,
      zone,
      spot,
      vcpuCount,
      priceUsdPerHour: priceUsdPerHour / 10, // so that money is left for more
      launchedAt: new Date(now.getTime() - index * 1000),
    }
  })
  const instants = new Map(vms.map(({ id }) => [id, now]))
  return {
    now,
    config,
    unfinishedCount: kind === 'steady' ? 10_000_000 : VM_COUNT,
    vms,
    idle: new Set(kind === 'steady' ? [] : vms.filter((_, index) => index % 2 === 0).map(({ id }) => id)),
    choices,
    signs: { heardAt: instants, firstSeenAt: instants, listeningSince: now, knownUntil: now },
    spentUsd: 1,
    horizonSeconds: 65,
    paidUntil: new Map(vms.map(({ id }) => [id, new Date(now.getTime() + 1e7)])),
    stillborn: { count: 0, endReason: '' },
  }
}

function raise(): never {
  throw new Error('The scenario offers nothing.')
}
