// What commands tell, and hear of, the manager that a deployed job has in its cloud. A job without one is no error.
import { systemClock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import { orderResume, orderStop, readServerlessState, type ServerlessState } from '../serverless/orders.ts'
import type { OpenJob } from './open-job.ts'

/** undefined = there is none, or it has not looked yet. */
export async function readCloudManager({ provider, jobId }: OpenJob): Promise<ServerlessState | undefined> {
  return ifDeployed(() => readServerlessState(provider, jobId, new Date(systemClock.now())))
}

/** Before its VMs are ended by somebody else, or they are back within a minute. */
export async function stopCloudManager(job: OpenJob): Promise<void> {
  await order(job, { because: 'it was stopped by cloud-tasks stop' })
}

/** Before somebody else looks after the VMs, which go on working meanwhile. */
export async function relieveCloudManager(job: OpenJob): Promise<void> {
  await order(job, { because: 'cloud-tasks run looks after its VMs', handedOver: true })
}

/** Also to one that has not looked yet: it may do so at any time. */
async function order(job: OpenJob, stopped: { readonly because: string; readonly handedOver?: true }): Promise<void> {
  if (job.provider.name === 'local') return // only clouds run one
  const at = new Date(systemClock.now())
  const busyUntil = await ifDeployed(() => orderStop(job.provider, job.jobId, { ...stopped, at }))
  // A look that began before may still start VMs, which must be there to be ended.
  if (busyUntil !== undefined) await systemClock.sleep(Math.max(0, busyUntil.getTime() - systemClock.now()))
}

/** After a stop, whoever ordered it. */
export async function resumeCloudManager(job: OpenJob): Promise<void> {
  const state = await readCloudManager(job)
  if (state?.stopped !== undefined) await orderResume(job.provider, job.jobId, new Date(systemClock.now()))
}

async function ifDeployed<Result>(work: () => Promise<Result | undefined>): Promise<Result | undefined> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof UserError) return undefined // no notebook, no manager
    throw error
  }
}
