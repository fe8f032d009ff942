// Moves events from the event queue into the job DB until it is told to stop or all tasks are finished.

import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Delivery, Queue } from '../infra/provider.ts'
import type { AppliedBatch } from './applied-batch.ts'
import { EventFile } from './event-file.ts'
import type { JobDb } from './job-db.ts'

export interface CollectOptions {
  readonly queue: Queue
  readonly db: JobDb
  readonly signal: AbortSignal
  /** Resolve as soon as no task is unfinished and the queue has nothing more at once. */
  readonly untilFinished?: boolean
  readonly onBatch?: (batch: AppliedBatch) => void
  /** JSON lines, appended. A file that does not exist is first filled with all stored events. */
  readonly outputFile?: string
  /** Each new event, as JSON on one line. */
  readonly printEvent?: (json: string) => void
  readonly warn?: (sentence: string) => void
}

export interface CollectReport {
  readonly storedCount: number
  readonly duplicateCount: number
  readonly malformedCount: number
}

const MAX_MESSAGES = 1000 // one transaction each; bigger batches cost memory and save nothing
const WAIT_SECONDS = 2 // so that "all finished" is noticed soon, also when another process collects

export async function collectEvents(options: CollectOptions): Promise<CollectReport> {
  const { queue, db, signal, untilFinished, warn = () => {} } = options
  const file = options.outputFile === undefined ? undefined : new EventFile(options.outputFile, warn)
  file?.backfill(db.rawEvents())
  const report = { storedCount: 0, duplicateCount: 0, malformedCount: 0 }
  const backoff = new Backoff()
  try {
    while (!signal.aborted) {
      const finished = untilFinished === true && db.unfinishedCount() === 0
      const deliveries = await receive(queue, finished ? 0 : WAIT_SECONDS, { signal, backoff, warn })
      if (deliveries === undefined) continue
      if (deliveries.length === 0) {
        if (finished) break
        continue
      }
      const bodies = deliveries.map(delivery => delivery.body)
      // The file first, then the commit, then the ack. A crash in between delivers the batch again: what was committed is
      // a duplicate then, and what was only in the file is there twice. The other orders could lose a line or a result.
      const batch = db.applyEvents(bodies, new Date(), { beforeCommit: ({ stored }) => file?.append(stored) })
      await ack(queue, deliveries, warn)
      publish(batch, report, { ...options, warn })
    }
  } finally {
    file?.close()
  }
  return report
}

async function receive(
  queue: Queue,
  waitSeconds: number,
  { signal, backoff, warn }: { signal: AbortSignal; backoff: Backoff; warn: (sentence: string) => void },
): Promise<readonly Delivery[] | undefined> {
  try {
    const deliveries = await queue.receive({ maxMessages: MAX_MESSAGES, waitSeconds, signal })
    backoff.reset()
    return deliveries
  } catch (error) {
    warn(`Events cannot be received now (${messageOf(error)}). Trying again.`)
    await backoff.wait(signal)
    return undefined
  }
}

/** A failed ack costs nothing but a second delivery. */
async function ack(queue: Queue, deliveries: readonly Delivery[], warn: (sentence: string) => void): Promise<void> {
  try {
    await queue.ack(deliveries.map(delivery => delivery.receipt))
  } catch (error) {
    warn(
      `Events are stored but could not be removed from queue ${queue.name} (${messageOf(error)}). They will come again.`,
    )
  }
}

type Totals = { -readonly [Key in keyof CollectReport]: CollectReport[Key] }

function publish(batch: AppliedBatch, totals: Totals, { onBatch, printEvent, warn }: CollectOptions): void {
  totals.storedCount += batch.stored.length
  totals.duplicateCount += batch.duplicateCount
  totals.malformedCount += batch.malformed.length
  for (const raw of batch.malformed) warn?.(`Not an event, kept in the job database as it is: ${raw.slice(0, 200)}`)
  for (const id of batch.unknownTaskIds) warn?.(`Event of task ${JSON.stringify(id)}, which is not of this job; kept.`)
  if (printEvent !== undefined) for (const json of batch.stored) printEvent(json)
  onBatch?.(batch)
}

class Backoff {
  #delayMs = 0

  reset(): void {
    this.#delayMs = 0
  }

  async wait(signal: AbortSignal): Promise<void> {
    this.#delayMs = Math.min(Math.max(this.#delayMs * 2, 250), 10_000)
    await systemClock.sleep(this.#delayMs, signal)
  }
}
