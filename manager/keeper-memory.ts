// What a pool keeper knows beyond its job DB, for one that follows it in another process without that DB.
import type { VmId } from '../core/ids.ts'
import type { Vm } from '../infra/provider.ts'
import type { MarketMemory } from './spot-market.ts'
import { launchedBefore, type WatchMemory } from './vm-watch.ts'

export interface KeeperMemory {
  /** When the job first decided anything. */
  readonly begunAt: Date | undefined
  /** Cost of VMs that are not in the DB any more. */
  readonly earlierUsd: number
  readonly market: MarketMemory
  readonly watch: WatchMemory
}

/** A VM that ended so long ago need not be in the DB of a keeper with a memory. */
export const FORGOTTEN_AFTER_MS = 3_600_000

export interface Origins {
  readonly known: ReadonlySet<VmId>
  /** Nothing is launched before it; undefined = nothing was launched yet. */
  readonly begunAt: Date | undefined
  /** What ended before is counted already where it is not known. */
  readonly countedUntil: Date | undefined
}

/** VMs of an earlier job of the same name are still listed for a while; their cost is not this job's. */
export function foreignVms(vms: readonly Vm[], { known, begunAt, countedUntil }: Origins): ReadonlySet<VmId> {
  const foreign = vms.filter(vm => {
    const { id, state, endedAt } = vm
    if (known.has(id) || (state !== 'terminated' && state !== 'stopping')) return false
    if (begunAt === undefined || launchedBefore(vm, begunAt)) return true
    return endedAt !== undefined && countedUntil !== undefined && endedAt < countedUntil
  })
  return new Set(foreign.map(vm => vm.id))
}
