// The static part of a job, brought up before its VMs and taken down after them.
import { systemClock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import type { Pool } from '../../infra/provider.ts'
import { relieveCloudManager } from './cloud-manager.ts'
import type { OpenJob } from './open-job.ts'

const GONE_WITHIN_MS = 10 * 60_000 // a VM shuts down within two minutes, as a rule
const LOOK_MS = 2000
const LOCAL_LOOK_MS = 50

/** All that VMs need, looked after by this program alone from here on. True if nothing of it was there before. */
export async function bringUpStack(job: OpenJob): Promise<boolean> {
  await relieveCloudManager(job) // or it would start VMs of its own until the stack has lost it
  const { created } = await (await job.openStack()).up(job.stackSpec)
  return created
}

/** The queues alone, for a job whose VMs are not our business. True if none of them was there before. */
export async function ensureQueues({ queues }: OpenJob): Promise<boolean> {
  // Dead letters first: a cloud ties the queue of tasks to them as it makes it.
  const all = [queues.dead, queues.tasks, queues.events]
  const depths = await Promise.all(all.map(queue => queue.admin.depth()))
  for (const queue of all) await queue.admin.ensure()
  return depths.every(depth => depth === undefined)
}

/** VMs first, and gone for good: what they use cannot be removed before. */
export async function takeDownStack(
  job: OpenJob,
  { pool, keepResults }: { readonly pool: Pool; readonly keepResults: boolean },
): Promise<void> {
  const look = job.provider.name === 'local' ? LOCAL_LOOK_MS : LOOK_MS
  const deadlineMs = systemClock.now() + GONE_WITHIN_MS
  for (;;) {
    const alive = (await pool.list()).filter(vm => vm.state !== 'terminated')
    if (alive.length === 0) break
    await pool.terminate(alive.filter(vm => vm.state !== 'stopping').map(vm => vm.id))
    if (systemClock.now() > deadlineMs) {
      throw new UserError(
        `${alive.length} VMs of job "${job.jobId}" have not ended within ${GONE_WITHIN_MS / 60_000} minutes (${alive[0]?.id}, …). Run cloud-tasks destroy again.`,
      )
    }
    await systemClock.sleep(look)
  }
  await (await job.openStack()).down(job.stackSpec, { keepResults })
}
