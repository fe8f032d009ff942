// What a queue promises when anything may happen twice: messages given out again although they are held, requests that took
// effect although their answer was lost. Written against the seam alone.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { Queue } from '../../infra/provider.ts'
import { SendError } from '../../infra/provider.ts'
import type { QueueSubject } from './queue-suite.ts'

const CONSUMER_COUNT = 3
const LIMIT_MS = 60_000
const PAUSE_MS = 50

export function queueAtLeastOnce(
  name: string,
  openSubject: () => Promise<QueueSubject>,
  { messageCount = 600 }: { readonly messageCount?: number } = {},
): void {
  it(`${name}: loses no message, however often anything happens twice`, { timeout: 2 * LIMIT_MS }, async () => {
    const subject = await openSubject()
    try {
      const queue = subject.provider.openQueue(subject.queueName(), { leaseSeconds: subject.leaseSeconds })
      await insist(() => queue.admin.ensure())
      const bodies = Array.from({ length: messageCount }, (_, index) => `m${index}`)
      await sendAll(queue, bodies)
      const done = new Set<string>()
      await Promise.all(Array.from({ length: CONSUMER_COUNT }, (_, index) => consume(queue, done, messageCount, index)))
      assert.deepEqual(
        bodies.filter(body => !done.has(body)),
        [],
      )
    } finally {
      await subject.close()
    }
  })
}

/** As agents do: what was not accepted is sent again, whatever the reason. */
async function sendAll(queue: Queue, bodies: readonly string[]): Promise<void> {
  let unsent = bodies
  const giveUpMs = systemClock.now() + LIMIT_MS
  while (unsent.length > 0) {
    try {
      return await queue.send(unsent.map(body => ({ body })))
    } catch (error) {
      assert.ok(error instanceof SendError, messageOf(error))
      assert.ok(systemClock.now() < giveUpMs, error.message)
      const again = new Set(error.unsent)
      unsent = unsent.filter((_, index) => again.has(index))
    }
  }
}

/** Hands some back, keeps some over a renewal, and counts as done only what was acked and not lost. */
async function consume(queue: Queue, done: Set<string>, count: number, index: number): Promise<void> {
  const giveUpMs = systemClock.now() + LIMIT_MS
  for (let round = index; done.size < count; round++) {
    assert.ok(systemClock.now() < giveUpMs, `only ${done.size} of ${count} messages are done`)
    try {
      const deliveries = await queue.receive({ maxMessages: 20, waitSeconds: 1 })
      const receipts = deliveries.map(({ receipt }) => receipt)
      if (round % 5 === 0) await queue.release(receipts.slice(0, 3), 0)
      if (round % 3 === 0) await queue.renew(receipts)
      const { lost } = await queue.ack(receipts)
      const gone = new Set(lost)
      for (const { body, receipt } of deliveries) if (!gone.has(receipt)) done.add(body)
    } catch {
      await systemClock.sleep(PAUSE_MS) // what was held then comes again
    }
  }
}

async function insist(act: () => Promise<void>): Promise<void> {
  const giveUpMs = systemClock.now() + LIMIT_MS
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (systemClock.now() > giveUpMs) throw error
      await systemClock.sleep(PAUSE_MS)
    }
  }
}
