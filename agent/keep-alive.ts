// Tells the manager that this VM lives. Only to the queue, never to a file; one that is lost is not sent again.
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Queue } from '../infra/provider.ts'
import type { Log } from './log.ts'
import type { EventOrigin } from './origin.ts'

/** The first at once, then one each interval, until `signal` aborts. */
export async function keepAlive({
  queue,
  origin,
  intervalSeconds,
  log,
  signal,
}: {
  readonly queue: Queue | undefined
  readonly origin: EventOrigin
  readonly intervalSeconds: number
  readonly log: Log
  readonly signal: AbortSignal
}): Promise<void> {
  if (queue === undefined || intervalSeconds === 0) return
  while (!signal.aborted) {
    try {
      await queue.send([{ body: origin.notice({ kind: 'keep_alive' }) }])
    } catch (error) {
      log.warning(`A keep-alive event was not sent: ${messageOf(error)}`)
    }
    await systemClock.sleep(intervalSeconds * 1000, signal)
  }
}
