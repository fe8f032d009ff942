// Notes which VMs a job has and what they cost, for a program that collects results while somebody else looks after the VMs.
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { JobConfig } from '../core/job-config.ts'
import type { Pool } from '../infra/provider.ts'
import type { JobDb } from './job-db.ts'
import { tasksPerVm } from './select-offers.ts'

export interface ObserverOptions {
  readonly pool: Pick<Pool, 'list'>
  readonly db: Pick<JobDb, 'saveVms'>
  readonly config: Pick<JobConfig, 'tasks' | 'watch'>
  readonly warn: (sentence: string) => void
  /** Ends the watch. */
  readonly signal: AbortSignal
}

/** Never rejects: results are worth more than the knowledge of what they cost. Warns once. */
export async function observeVms({ pool, db, config, warn, signal }: ObserverOptions): Promise<void> {
  let warned = false
  while (!signal.aborted) {
    try {
      const vms = await pool.list()
      const slotsOf = ({ vcpuCount }: { readonly vcpuCount: number }) => tasksPerVm(vcpuCount, config.tasks)
      if (vms.length > 0) db.saveVms(vms, new Date(systemClock.now()), { complete: true, slotsOf })
    } catch (error) {
      if (!warned) warn(`The VMs cannot be listed, so their cost is not known: ${messageOf(error)}`)
      warned = true
    }
    await systemClock.sleep(config.watch.scalingCheckSeconds * 1000, signal)
  }
}
