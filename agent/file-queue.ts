// A task file in the place of a queue, so that the agent has one way of working. Retries stay in memory and go first when
// they are due. Nothing survives the agent: with a file there is nobody else to take over.
import { systemClock } from '../core/clock.ts'
import { type Receipt, receipt } from '../core/ids.ts'
import { messageOfTask, type Task } from '../core/task.ts'
import type { Delivery, OutgoingMessage, Queue, QueueAdmin, ReceiveOptions } from '../infra/provider.ts'

export interface FileQueue extends Queue {
  /** Resolves when every task of the file has been acked; rejects when the file cannot be read on. */
  readonly exhausted: Promise<void>
}

interface Waiting {
  readonly body: string
  readonly dueMs: number
  readonly deliveryCount: number
}

const POLL_MS = 20

export function openFileQueue(name: string, batches: AsyncIterable<readonly Task[]>): FileQueue {
  const { promise: exhausted, resolve, reject } = Promise.withResolvers<void>()
  exhausted.catch(() => {}) // whoever waits for it later is told all the same
  const source = batches[Symbol.asyncIterator]()
  const held = new Map<Receipt, Waiting>()
  let again: Waiting[] = []
  let batch: readonly Task[] = []
  let next = 0
  let ended = false
  let counter = 0

  const queue: FileQueue = {
    name,
    exhausted,
    async send(messages: readonly OutgoingMessage[]) {
      const nowMs = Date.now()
      for (const { body, delaySeconds = 0 } of messages)
        again.push({ body, dueMs: nowMs + delaySeconds * 1000, deliveryCount: 0 })
    },
    async receive({ maxMessages, waitSeconds, signal }: ReceiveOptions) {
      const giveUpMs = Date.now() + waitSeconds * 1000
      for (;;) {
        const deliveries = await collect(maxMessages)
        if (deliveries.length > 0 || signal?.aborted || Date.now() >= giveUpMs) return deliveries
        finishIfDone()
        await systemClock.sleep(POLL_MS, signal)
      }
    },
    renew: async () => ({ lost: [] }),
    async ack(receipts) {
      for (const one of receipts) held.delete(one)
      finishIfDone()
      return { lost: [] }
    },
    async release(receipts, delaySeconds) {
      const dueMs = Date.now() + delaySeconds * 1000
      for (const one of receipts) {
        const waiting = held.get(one)
        if (waiting !== undefined) again.push({ ...waiting, dueMs, deliveryCount: waiting.deliveryCount - 1 })
        held.delete(one)
      }
      return { lost: [] }
    },
    admin: noAdmin(),
  }
  return queue

  async function collect(maxMessages: number): Promise<readonly Delivery[]> {
    const deliveries: Delivery[] = []
    if (again.length > 0) {
      const nowMs = Date.now()
      const due = again.filter(({ dueMs }) => dueMs <= nowMs).slice(0, maxMessages)
      const taken = new Set(due)
      again = again.filter(waiting => !taken.has(waiting))
      for (const waiting of due) deliveries.push(hand(waiting))
    }
    while (deliveries.length < maxMessages) {
      const task = batch[next++]
      if (task !== undefined)
        deliveries.push(hand({ body: JSON.stringify(messageOfTask(task)), dueMs: 0, deliveryCount: 0 }))
      else if (ended || deliveries.length > 0 || !(await nextBatch())) break
    }
    return deliveries
  }

  function hand(waiting: Waiting): Delivery {
    const one = receipt(String(++counter))
    const deliveryCount = waiting.deliveryCount + 1
    held.set(one, { ...waiting, deliveryCount })
    return { body: waiting.body, receipt: one, deliveryCount }
  }

  async function nextBatch(): Promise<boolean> {
    try {
      const { value, done } = await source.next()
      ended = done === true
      batch = done ? [] : value
      next = 0
    } catch (error) {
      ended = true
      reject(error)
    }
    return !ended
  }

  function finishIfDone(): void {
    if (ended && next >= batch.length && again.length === 0 && held.size === 0) resolve()
  }
}

/** Nobody administers a file. */
function noAdmin(): QueueAdmin {
  return { ensure: async () => {}, depth: async () => undefined, purge: async () => {}, remove: async () => {} }
}
