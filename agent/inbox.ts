// Receives ahead of need: about a second of work, so that no slot waits for the queue and a lost VM costs little.
// Holds what is not started yet. Knows nothing of processes.
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Delivery, Queue } from '../infra/provider.ts'
import type { HeldTask } from './held-task.ts'

const AHEAD_SECONDS = 1
const MAX_AHEAD = 2000 // tasks
const MAX_AHEAD_CHARS = 64 * 1024 ** 2 // of bodies: a few thousand big ones must not fill the memory
const MAX_RECEIVE = 1000 // at once: more would keep the agent from its processes for too long
const WAIT_SECONDS = 20
const MAX_BACKOFF_MS = 10_000
const PAUSE_MS = 20

export interface InboxOptions {
  readonly queue: Queue
  /** The least it holds: one task a slot. */
  readonly slotCount: number
  /** Never admits more than this in all; undefined = no limit. */
  readonly maxTaskCount: number | undefined
  /** Looks at what came; what it does not return is taken care of. */
  readonly admit: (deliveries: readonly Delivery[]) => readonly HeldTask[]
  readonly arrived: () => void
  readonly failed: (sentence: string) => void
  /** True while nothing more should be received. */
  readonly paused: () => boolean
}

export interface Inbox {
  count(): number
  take(count: number): readonly HeldTask[]
  /** To be taken first. */
  putBack(tasks: readonly HeldTask[]): void
  /** Stops receiving. Resolves with what is left, once no receive is under way. */
  close(): Promise<readonly HeldTask[]>
}

export function openInbox(options: InboxOptions): Inbox {
  const { queue, slotCount, admit, arrived, failed, paused } = options
  const closing = new AbortController()
  let waiting: HeldTask[] = []
  let next = 0
  let budget = options.maxTaskCount ?? Number.POSITIVE_INFINITY
  let ahead = slotCount
  let bodyChars = 100 // of an average body
  let wake: () => void = () => {}
  const loop = receiveLoop()

  return {
    count: () => waiting.length - next,
    take(count) {
      const taken: HeldTask[] = []
      while (taken.length < count && next < waiting.length) {
        const task = waiting[next++]
        if (task?.lost)
          budget++ // it is somebody else's now
        else if (task !== undefined) taken.push(task)
      }
      if (next === waiting.length) {
        waiting = []
        next = 0
      }
      if (waiting.length - next <= ahead / 2) wake()
      return taken
    },
    putBack(tasks) {
      if (tasks.length > 0) waiting = [...tasks, ...waiting.slice(next)]
      if (tasks.length > 0) next = 0
    },
    async close() {
      closing.abort()
      wake()
      await loop
      const left = waiting.slice(next)
      waiting = []
      next = 0
      return left
    },
  }

  async function receiveLoop(): Promise<void> {
    const { signal } = closing
    let backoffMs = 0
    let lastMs = performance.now()
    while (!signal.aborted) {
      if (paused()) {
        await systemClock.sleep(PAUSE_MS, signal)
        continue
      }
      const held = waiting.length - next
      if (held > ahead / 2 || budget <= 0) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
        continue
      }
      const nowMs = performance.now()
      ahead = adapted(ahead, (nowMs - lastMs) / 1000)
      lastMs = nowMs
      const maxMessages = Math.max(1, Math.min(Math.ceil(ahead) - held, MAX_RECEIVE, budget))
      try {
        const deliveries = await queue.receive({ maxMessages, waitSeconds: WAIT_SECONDS, signal })
        backoffMs = 0
        if (deliveries.length === 0) {
          ahead = slotCount
          continue
        }
        if (deliveries.length < maxMessages) lastMs = performance.now() // the time was the queue's, not ours
        learnSize(deliveries)
        const admitted = admit(deliveries)
        budget -= admitted.length
        waiting = waiting.slice(next).concat(admitted)
        next = 0
        arrived()
      } catch (error) {
        backoffMs = Math.min(Math.max(100, backoffMs * 2), MAX_BACKOFF_MS)
        failed(`Receiving from ${queue.name} failed, trying again in ${backoffMs / 1000} s: ${messageOf(error)}`)
        await systemClock.sleep(backoffMs, signal)
      }
    }
  }

  /** What was used up in `seconds` should last for about a second. */
  function adapted(count: number, seconds: number): number {
    const factor = Math.min(4, Math.max(0.5, AHEAD_SECONDS / 2 / Math.max(seconds, 1e-3)))
    const most = Math.min(MAX_AHEAD, Math.max(1, MAX_AHEAD_CHARS / bodyChars))
    return Math.max(slotCount, Math.min(count * factor, most))
  }

  function learnSize(deliveries: readonly Delivery[]): void {
    let chars = 0
    for (const { body } of deliveries) chars += body.length
    bodyChars = Math.max(chars / deliveries.length, bodyChars / 2, 1)
  }
}
