// A queue seen by somebody who wants only some of its messages: looks through all that can be received, keeps what is wanted
// and hands the rest back at once, with its place at the front. Everything else is the queue's own.
import { systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { Receipt } from '../../core/ids.ts'
import type { Delivery, Queue, ReceiveOptions } from '../../infra/provider.ts'

export interface Choice {
  /** Absent = all are wanted. */
  readonly wants?: (delivery: Delivery) => boolean | Promise<boolean>
  /** Between two looks at a queue without anything wanted; undefined = as soon as the queue can say. */
  readonly pollSeconds: number | undefined
}

const LOOK_AT_ONCE = 1000
const LOOK_AGAIN_SECONDS = 0.05 // at a queue that holds only what is for others

export function chosenQueue(queue: Queue, { wants, pollSeconds }: Choice): Queue {
  if (wants === undefined && pollSeconds === undefined) return queue
  return {
    name: queue.name,
    admin: queue.admin,
    send: messages => queue.send(messages),
    renew: receipts => queue.renew(receipts),
    ack: receipts => queue.ack(receipts),
    release: (receipts, delaySeconds) => queue.release(receipts, delaySeconds),
    async receive(options) {
      const giveUpMs = performance.now() + options.waitSeconds * 1000
      for (;;) {
        const found = await look(options)
        if (found.length > 0 || options.signal?.aborted || performance.now() > giveUpMs) return found
        await systemClock.sleep((pollSeconds ?? LOOK_AGAIN_SECONDS) * 1000, options.signal)
      }
    },
  }

  async function look({ maxMessages, signal }: ReceiveOptions): Promise<readonly Delivery[]> {
    const options = { waitSeconds: 0, ...(signal && { signal }) }
    if (wants === undefined) return queue.receive({ maxMessages, ...options })
    const found: Delivery[] = []
    const others: Receipt[] = []
    try {
      while (found.length < maxMessages) {
        const deliveries = await queue.receive({ maxMessages: LOOK_AT_ONCE, ...options })
        for (const delivery of deliveries) {
          // Held until the look is over: what is handed back at once would come again at once.
          if (found.length < maxMessages && (await wants(delivery))) found.push(delivery)
          else others.push(delivery.receipt)
        }
        if (deliveries.length < LOOK_AT_ONCE) break
      }
    } finally {
      if (others.length > 0) await handBack(others)
    }
    return found
  }

  async function handBack(receipts: readonly Receipt[]): Promise<void> {
    try {
      await queue.release(receipts, 0)
    } catch (cause) {
      throw new Error(`Tasks for others could not be handed back and wait for their lease: ${messageOf(cause)}`, {
        cause,
      })
    }
  }
}
