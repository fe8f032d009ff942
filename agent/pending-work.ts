// What runs beside everything else and must be over before the agent ends: reports that are being made, messages on their
// way back. A failure goes to the log and stops nothing.
import { messageOf } from '../core/errors.ts'
import type { Log } from './log.ts'

export interface PendingWork {
  track(work: Promise<void>): void
  count(): number
  /** Resolves when all that is tracked by now is over. */
  over(): Promise<unknown>
}

export function openPendingWork(log: Log): PendingWork {
  const unfinished = new Set<Promise<void>>()
  return {
    track(work) {
      const settled = work
        .catch((error: unknown) => log.error(messageOf(error)))
        .finally(() => unfinished.delete(settled))
      unfinished.add(settled)
    },
    count: () => unfinished.size,
    over: () => Promise.all(unfinished),
  }
}
