// Why an agent stops, and how much time that leaves. Times are of `performance.now()`, in ms; Infinity = no end is known.
import type { AgentSettings } from '../core/settings.ts'

export type Ending =
  /** The task file is finished, or `--max-num-tasks` are done. */
  | { readonly kind: 'done' }
  /** The queue has stayed empty. */
  | { readonly kind: 'idle' }
  /** Running tasks may go on until then. */
  | { readonly kind: 'shutdown'; readonly finishByMs: number; readonly because: 'signal' | 'lifetime' }
  /** The VM is gone at `deadlineMs`. */
  | { readonly kind: 'preempted'; readonly deadlineMs: number }
  /** No task can run. */
  | { readonly kind: 'fatal'; readonly sentence: string }

interface TimeLeft {
  /** Running tasks are interrupted then. */
  readonly finishByMs: number
  /** Nothing can be reported after that. */
  readonly deadlineMs: number
}

const FLUSH_SHARE = 0.25 // of a notice: kept back to report and to send successors …
const MAX_FLUSH_MS = 10_000 // … but never more
const NEVER = Number.POSITIVE_INFINITY

export function timeLeft(ending: Ending): TimeLeft {
  switch (ending.kind) {
    case 'shutdown':
      return { finishByMs: ending.finishByMs, deadlineMs: NEVER }
    case 'preempted': {
      const flushMs = Math.min(MAX_FLUSH_MS, (ending.deadlineMs - performance.now()) * FLUSH_SHARE)
      return { finishByMs: ending.deadlineMs - Math.max(0, flushMs), deadlineMs: ending.deadlineMs }
    }
    case 'fatal':
      return { finishByMs: 0, deadlineMs: NEVER }
    default:
      return { finishByMs: NEVER, deadlineMs: NEVER }
  }
}

export interface Circumstances {
  readonly settings: Pick<AgentSettings, 'idleShutdownSeconds' | 'maxInstanceLifetimeSeconds' | 'shutdownGraceSeconds'>
  readonly startedMs: number
  /** undefined = there is something to do. */
  readonly idleSinceMs: number | undefined
  /** As many tasks as were asked for are done. */
  readonly enough: boolean
}

/** What makes an agent stop by itself; undefined = go on. */
export function dueEnding({ settings, startedMs, idleSinceMs, enough }: Circumstances): Ending | undefined {
  const { idleShutdownSeconds = NEVER, maxInstanceLifetimeSeconds = NEVER, shutdownGraceSeconds } = settings
  const nowMs = performance.now()
  if (idleSinceMs !== undefined && enough) return { kind: 'done' }
  if (idleSinceMs !== undefined && nowMs - idleSinceMs > idleShutdownSeconds * 1000) return { kind: 'idle' }
  if (nowMs - startedMs <= maxInstanceLifetimeSeconds * 1000) return undefined
  return { kind: 'shutdown', finishByMs: nowMs + shutdownGraceSeconds * 1000, because: 'lifetime' }
}

export function reasonOf(ending: Ending): string {
  switch (ending.kind) {
    case 'done':
      return 'all is done'
    case 'idle':
      return 'the queue has stayed empty'
    case 'shutdown':
      return ending.because === 'signal' ? 'asked to' : 'the maximum lifetime of this VM is over'
    case 'preempted':
      return 'the VM is taken away'
    default:
      return ending.sentence
  }
}
