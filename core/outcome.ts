// How one attempt of a task ended: five different things, kept apart all the way to the database.
import type { Json } from './task.ts'

export type Outcome =
  /** The task returned. `retry` asks for another attempt although nothing failed. */
  | { readonly kind: 'completed'; readonly retry: boolean; readonly result: Json }
  /** The task threw. `retryable` is the thrower's own word and beats `retry_on_exception`; out of memory is never retried. */
  | { readonly kind: 'exception'; readonly exception: string; readonly retryable?: boolean }
  /** Killed because it ran longer than `max_runtime`. */
  | { readonly kind: 'timed_out' }
  /** Its process ended without an answer. Negative = killed by that signal; undefined = not known. */
  | { readonly kind: 'exited'; readonly exitCode: number | undefined }
  /** Ended by us through no fault of the task: the VM is going away or the agent was asked to stop. */
  | { readonly kind: 'interrupted'; readonly reason: InterruptReason }

export type InterruptReason = 'preempted' | 'shutdown'

/** What an attempt used, as far as it was measured. */
export interface Usage {
  readonly elapsedSeconds: number
  readonly cpuSeconds?: number
  readonly maxRssBytes?: number
  /** What a failed attempt printed: its beginning and its end, if it was much. */
  readonly log?: string
}
