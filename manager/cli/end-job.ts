// The end of a job: VMs ended, the last events collected, the queues deleted. Every step may be repeated after a crash.
import { systemClock } from '../../core/clock.ts'
import { messageOf, UserError } from '../../core/errors.ts'
import { collectEvents } from '../collector.ts'
import type { JobDb } from '../job-db.ts'
import type { KeeperLog, PoolKeeper } from '../pool-keeper.ts'
import { takeDownStack } from './job-stack.ts'
import type { OpenJob } from './open-job.ts'
import { openPool } from './prepare-job.ts'

const TERMINATE_TRIES = 4
const LAST_EVENTS_MS = 5000 // what dying agents still send; later events are of no consequence

export interface EndOptions {
  readonly deleteQueues: boolean
  readonly log: KeeperLog
}

/** VMs first, so that the queue of events is read after its last writer is gone; queues last, when they are empty. */
export async function endJob(
  job: OpenJob,
  keeper: PoolKeeper,
  db: JobDb,
  { deleteQueues, log }: EndOptions,
): Promise<void> {
  await terminateVms(keeper, log)
  await collectLastEvents(job, db)
  if (!deleteQueues) return
  const { dead } = job.queues
  const letters = await dead.admin.depth()
  const letterCount = letters === undefined ? 0 : letters.ready + letters.leased + letters.delayed
  if (db.job().madeStack !== true) {
    log('INFO', `The queues of ${job.jobId} were there before this job, and stay: cloud-tasks destroy removes them`)
  } else if (letterCount > 0) {
    const { tasks, events } = job.queues
    await Promise.all([tasks, events].map(queue => queue.admin.purge())) // a minute each on SQS
    log('INFO', `Queue ${dead.name} is kept: it holds the tasks that failed for good`)
  } else await takeDownStack(job, { pool: openPool(job), keepResults: true })
}

/** Rejects only when VMs may still cost money and the user has to act. */
export async function terminateVms(keeper: PoolKeeper, log: KeeperLog): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await keeper.terminateAll()
      return
    } catch (error) {
      if (attempt === TERMINATE_TRIES) {
        throw new UserError(`VMs may still be running: ${messageOf(error)}. Run cloud-tasks stop until it succeeds.`, {
          cause: error,
        })
      }
      log('WARNING', `VMs could not be ended; trying again: ${messageOf(error)}`)
      await systemClock.sleep(1000 * 2 ** attempt)
    }
  }
}

/** What waits in the event queue, for at most a few seconds. */
export async function collectLastEvents({ queues: { events } }: Pick<OpenJob, 'queues'>, db: JobDb): Promise<void> {
  const stop = new AbortController()
  const deadline = systemClock.now() + LAST_EVENTS_MS
  const collecting = collectEvents({ queue: events, db, signal: stop.signal })
  try {
    while (systemClock.now() < deadline) {
      const depth = await events.admin.depth()
      // An estimate may not know yet of what came in the last minute.
      if (depth === undefined || (!depth.estimated && depth.ready + depth.leased === 0)) break
      await systemClock.sleep(depth.estimated ? 1000 : 50)
    }
  } finally {
    stop.abort()
    await collecting
  }
}
