// Holds tasks to a memory limit: the resident memory of all processes of a task together, looked at while it runs.
import type { Outcome } from '../core/outcome.ts'
import { residentBytes } from './process-tree.ts'
import type { Slot } from './slot.ts'

const GIB = 1024 ** 3
const LOOK_EVERY_MS = 200
const SIGABRT = -6

export interface MemoryLimit {
  /** To be called often; looks now and then. */
  look(slots: readonly Slot[]): void
  /** What an outcome is when memory is taken into account. */
  explain(outcome: Outcome): Outcome
}

const NO_LIMIT: MemoryLimit = { look: () => {}, explain: outcome => outcome }

/** undefined = no limit. `heapLimited`: V8 has the limit too, and gives up by aborting when its heap is full. */
export function memoryLimit(
  limitGb: number | undefined,
  { heapLimited }: { readonly heapLimited: boolean },
): MemoryLimit {
  if (limitGb === undefined) return NO_LIMIT
  let lookedMs = 0
  return {
    look(slots) {
      const nowMs = performance.now()
      if (nowMs - lookedMs < LOOK_EVERY_MS) return
      lookedMs = nowMs
      const bySlot = new Map<number, Slot>()
      for (const slot of slots) {
        const pid = slot.busyPid()
        if (pid !== undefined) bySlot.set(pid, slot)
      }
      if (bySlot.size === 0) return
      for (const [pid, bytes] of residentBytes([...bySlot.keys()])) {
        if (bytes > limitGb * GIB)
          bySlot.get(pid)?.condemn(exceeded(`the task held ${(bytes / GIB).toFixed(2)} GB`, limitGb))
      }
    },
    explain: outcome =>
      heapLimited && outcome.kind === 'exited' && outcome.exitCode === SIGABRT
        ? exceeded('the JavaScript heap was full', limitGb)
        : outcome,
  }
}

function exceeded(what: string, limitGb: number): Outcome {
  const exception = `MemoryError: ${what}, over the limit of ${limitGb} GB for a task.`
  return { kind: 'exception', exception, retryable: false }
}
