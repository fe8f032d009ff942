// A job DB in memory, of VMs and launches only: what the pool keeper works on where there is no disk.
import type { Vm } from '../../infra/provider.ts'
import { type JobDb, openJobDb } from '../job-db.ts'
import { FORGOTTEN_AFTER_MS } from '../keeper-memory.ts'
import { LaunchIntents } from '../launch-intents.ts'
import { microUsdOf } from '../ledger.ts'
import type { KeeperDb } from '../pool-keeper.ts'
import type { Remembered } from './remembered.ts'
import type { KnownVm } from './vm-columns.ts'

export interface DbOfVms extends KeeperDb, Disposable {
  readonly intents: LaunchIntents
}

export function openDbOfVms(
  { vms, intents }: Pick<Remembered, 'vms' | 'intents'>,
  { unfinishedCount, now }: { readonly unfinishedCount: number; readonly now: Date },
): DbOfVms {
  const db: JobDb = openJobDb(':memory:', { mode: 'create' })
  for (const [paidSeconds, paid] of Map.groupBy(vms, vm => vm.paidSeconds)) db.saveVms(paid, now, { paidSeconds })
  const launches = new LaunchIntents(db.sqlite)
  launches.restore(intents)
  return {
    sqlite: db.sqlite,
    intents: launches,
    unfinishedCount: () => unfinishedCount,
    vms: () => db.vms(),
    saveVms: (...saved) => db.saveVms(...saved),
    [Symbol.dispose]: () => db.close(),
  }
}

const CLOCKS_DIFFER_MS = 300_000 // a VM is forgotten only when no listing can bring it back

/** What is to be remembered of the VMs, and the cost of those that need not be remembered one by one any more. */
export function memorize(
  db: DbOfVms,
  listed: readonly Vm[],
  now: Date,
): { readonly vms: readonly KnownVm[]; readonly earlierUsd: number } {
  const listedIds = new Set(listed.map(vm => vm.id))
  const oldestMs = now.getTime() - FORGOTTEN_AFTER_MS - CLOCKS_DIFFER_MS
  const { kept = [], forgotten = [] } = Object.groupBy(db.vms(), vm =>
    vm.endedAt !== undefined && vm.endedAt.getTime() < oldestMs && !listedIds.has(vm.id) ? 'forgotten' : 'kept',
  )
  return { vms: kept, earlierUsd: forgotten.reduce((sum, vm) => sum + microUsdOf(vm, now), 0) / 1e6 }
}
