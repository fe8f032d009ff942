// The times that money is reckoned with: how long a VM boots, runs on unseen, and must be paid for at least. Pure.
import type { VmId } from '../core/ids.ts'
import type { JobConfig } from '../core/job-config.ts'
import type { VmRecord } from './job-db-vms.ts'

export interface PoolTimes {
  readonly bootSeconds: number
  /** How long VMs may run on before the next decision can stop them, and be billed. */
  readonly horizonSeconds: number
  readonly leastPaidSeconds: number
  /** undefined = no limit. */
  readonly mostPaidSeconds: number | undefined
}

const CLOUD_BOOT_SECONDS = 60 // also the least that clouds bill
const TERMINATION_SECONDS = 5 // from a decision to the end of the bill

export function poolTimesOf({ provider, section, watch, boot }: JobConfig): PoolTimes {
  const bootSeconds = provider === 'local' ? (section.boot_seconds ?? 0) : CLOUD_BOOT_SECONDS
  const horizonSeconds = watch.scalingCheckSeconds + TERMINATION_SECONDS
  return {
    bootSeconds,
    horizonSeconds,
    // Two looks and a boot: with less, a VM would be gone before it has done anything.
    leastPaidSeconds: 2 * horizonSeconds + bootSeconds,
    mostPaidSeconds: boot.maxVmLifetimeSeconds,
  }
}

/** When the money reserved for each VM ends. */
export function paidUntil(vms: readonly VmRecord[]): ReadonlyMap<VmId, Date> {
  return new Map(
    vms.flatMap(({ id, launchedAt, paidSeconds }) =>
      paidSeconds === undefined ? [] : [[id, new Date(launchedAt.getTime() + paidSeconds * 1000)]],
    ),
  )
}
