// Receives ahead of need: about a second of work, so that no slot waits for the queue and a lost VM costs little.
// Holds what is not started yet. Knows nothing of processes.
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Delivery, Queue } from '../infra/provider.ts'
import type { HeldTask } from './held-task.ts'

const AHEAD_SECONDS = 1
const FIRST_AHEAD = 8 // after the first tasks have ended …
const GROWTH = 4 // … and then so many times more at each receive
const MAX_AHEAD = 2000 // tasks
const MAX_AHEAD_CHARS = 64 * 1024 ** 2 // of bodies: a few thousand big ones must not fill the memory
const MAX_RECEIVE = 1000 // at once: more would keep the agent from its processes for too long
const WAIT_SECONDS = 20
const GIVE_BACK_MS = 5000 // others may be idle meanwhile
const MAX_BACKOFF_MS = 10_000
const PAUSE_MS = 20

export interface InboxOptions {
  readonly queue: Queue
  /** Slots that run nothing now. */
  readonly idleSlotCount: () => number
  /** Tasks that have ended so far. */
  readonly doneCount: () => number
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
  /** What has waited so long that it was taken too early: tasks turned out longer than those before them. */
  giveBack(): readonly HeldTask[]
  /** Stops receiving. Resolves with what is left, once no receive is under way. */
  close(): Promise<readonly HeldTask[]>
}

export function openInbox(options: InboxOptions): Inbox {
  const { queue, admit, arrived, failed, paused } = options
  const closing = new AbortController()
  let waiting: HeldTask[] = []
  let next = 0
  let budget = options.maxTaskCount ?? Number.POSITIVE_INFINITY
  let ahead = 0 // what ends in about a second; nothing is hoarded before anything has ended
  let sinceMs = performance.now()
  let sinceDone = 0
  let bodyChars = 100 // of an average body
  let movedMs = 0 // when a task was last taken, or came
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
      if (next === waiting.length) clear()
      if (taken.length > 0) movedMs = performance.now()
      if (waiting.length - next <= ahead / 2) wake()
      return taken
    },
    putBack(tasks) {
      if (tasks.length > 0) waiting = [...tasks, ...waiting.slice(next)]
      if (tasks.length > 0) next = 0
    },
    giveBack() {
      if (next === waiting.length || performance.now() - movedMs < GIVE_BACK_MS) return []
      ahead = 0
      budget += waiting.length - next
      return clear()
    },
    async close() {
      closing.abort()
      wake()
      await loop
      return clear()
    },
  }

  function clear(): readonly HeldTask[] {
    const left = waiting.slice(next)
    waiting = []
    next = 0
    return left
  }

  async function receiveLoop(): Promise<void> {
    const { signal } = closing
    let backoffMs = 0
    while (!signal.aborted) {
      if (paused()) {
        await systemClock.sleep(PAUSE_MS, signal)
        continue
      }
      adapt()
      const held = waiting.length - next
      const wanted = Math.min(options.idleSlotCount() + Math.round(ahead) - held, MAX_RECEIVE, budget)
      if (wanted < 1 || held > ahead / 2) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
        continue
      }
      try {
        const deliveries = await queue.receive({ maxMessages: wanted, waitSeconds: WAIT_SECONDS, signal })
        backoffMs = 0
        if (deliveries.length < wanted) restartClock() // the time was the queue's, not ours
        if (deliveries.length === 0) continue
        learnSize(deliveries)
        const admitted = admit(deliveries)
        budget -= admitted.length
        movedMs = performance.now()
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

  /** As many as have ended in the last second; several times more or less only step by step. */
  function adapt(): void {
    const seconds = Math.max((performance.now() - sinceMs) / 1000, 1e-4)
    const done = options.doneCount() - sinceDone
    if (done === 0 && seconds < AHEAD_SECONDS) return
    const most = Math.min(MAX_AHEAD, Math.max(1, MAX_AHEAD_CHARS / bodyChars), Math.max(ahead * GROWTH, FIRST_AHEAD))
    ahead = Math.min(most, Math.max((done / seconds) * AHEAD_SECONDS, ahead / 2))
    restartClock()
  }

  function restartClock(): void {
    sinceMs = performance.now()
    sinceDone = options.doneCount()
  }

  function learnSize(deliveries: readonly Delivery[]): void {
    let chars = 0
    for (const { body } of deliveries) chars += body.length
    bodyChars = Math.max(chars / deliveries.length, bodyChars / 2, 1)
  }
}
