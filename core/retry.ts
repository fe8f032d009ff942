// Decides what follows an attempt: nothing, a successor message, or the dead-letter queue. Pure.
import { assertNever } from './assert-never.ts'
import type { InterruptReason, Outcome } from './outcome.ts'
import { type AttemptNote, type Json, MAX_ATTEMPT_NOTES, type TaskMessage } from './task.ts'

export interface RetryPolicy {
  /** undefined = never set by anybody; acts as false and is reported as null, as the Python system does. */
  readonly retryOnExit: boolean | undefined
  readonly retryOnException: boolean | undefined
  readonly retryOnTimeout: boolean | undefined
  /** Failed attempts before a task is dead. */
  readonly maxAttempts: number
  /** Interrupted attempts before a task is dead; undefined = no limit. */
  readonly maxPreemptions: number | undefined
  /** Before each further attempt after a failure. Default: none after the first failure, then 1, 2, 4 … 60 s. */
  readonly retryDelaySeconds?: number
}

export type Decision =
  /** Nothing follows. `retry` is what the event says: false, or null where no policy was set. */
  | { readonly kind: 'final'; readonly retry: false | null }
  /** Send `successor` after `delaySeconds`, then ack the message it follows. */
  | { readonly kind: 'again'; readonly successor: TaskMessage; readonly delaySeconds: number }
  /** Out of budget: send `letter` to the dead-letter queue, then ack. */
  | { readonly kind: 'dead'; readonly letter: TaskMessage; readonly reason: string }

export interface AttemptEnd {
  readonly message: TaskMessage
  readonly outcome: Outcome
  readonly at: string
  readonly instance?: string
  /** Replaces the message's own checkpoint when the attempt saved a newer one. */
  readonly checkpoint?: Json
}

export function decideRetry(end: AttemptEnd, policy: RetryPolicy): Decision {
  const { outcome } = end
  switch (outcome.kind) {
    case 'completed':
      return outcome.retry ? failed(end, policy, 'the task asked for another attempt') : { kind: 'final', retry: false }
    case 'exception':
      return retryIf(outcome.retryable ?? policy.retryOnException, end, policy, tellingLine(outcome.exception))
    case 'timed_out':
      return retryIf(policy.retryOnTimeout, end, policy, 'ran longer than max_runtime')
    case 'exited':
      return retryIf(policy.retryOnExit, end, policy, describeExit(outcome.exitCode))
    case 'interrupted':
      return interrupted(end, policy, outcome.reason)
    default:
      return assertNever(outcome)
  }
}

/** Attempt number of a message, counted from 1. */
export function attemptOf(message: TaskMessage): number {
  return message.attempt ?? 1
}

/** `exit code 3`, or `killed by signal 9`. */
export function describeExit(exitCode: number | undefined): string {
  if (exitCode === undefined) return 'process ended without an answer'
  return exitCode < 0 ? `process killed by signal ${-exitCode}` : `process ended with exit code ${exitCode}`
}

function retryIf(wanted: boolean | undefined, end: AttemptEnd, policy: RetryPolicy, reason: string): Decision {
  return wanted ? failed(end, policy, reason) : { kind: 'final', retry: wanted === undefined ? null : false }
}

function failed(end: AttemptEnd, policy: RetryPolicy, reason: string): Decision {
  const failures = (end.message.failures ?? 0) + 1
  if (failures >= policy.maxAttempts) {
    return {
      kind: 'dead',
      letter: { ...next(end, reason), failures },
      reason: `${failures} failed attempts; last: ${reason}`,
    }
  }
  return {
    kind: 'again',
    successor: { ...next(end, reason), failures },
    delaySeconds: policy.retryDelaySeconds ?? failureDelaySeconds(failures),
  }
}

function interrupted(end: AttemptEnd, policy: RetryPolicy, reason: InterruptReason): Decision {
  const preemptions = (end.message.preemptions ?? 0) + 1
  if (policy.maxPreemptions !== undefined && preemptions > policy.maxPreemptions) {
    return { kind: 'dead', letter: { ...next(end, reason), preemptions }, reason: `interrupted ${preemptions} times` }
  }
  return { kind: 'again', successor: { ...next(end, reason), preemptions }, delaySeconds: 0 }
}

function next({ message, checkpoint, at, instance }: AttemptEnd, reason: string): TaskMessage {
  const attempt = attemptOf(message)
  const note: AttemptNote = {
    attempt,
    reason: reason.slice(0, MAX_REASON_CHARS),
    at,
    ...(instance === undefined ? undefined : { instance }),
  }
  const { not_before: _, ...rest } = message
  return {
    ...rest,
    attempt: attempt + 1,
    ...(checkpoint === undefined ? undefined : { checkpoint }),
    history: [...(message.history ?? []), note].slice(-MAX_ATTEMPT_NOTES),
  }
}

const MAX_REASON_CHARS = 300
const MAX_DELAY_SECONDS = 60

/** At once after the first failure (most are accidents of one VM), then 1, 2, 4 … 60 s. */
export function failureDelaySeconds(failures: number): number {
  return failures <= 1 ? 0 : Math.min(2 ** (failures - 2), MAX_DELAY_SECONDS)
}

/** The line of a traceback that says what happened: Python's last one, JavaScript's first one. */
function tellingLine(text: string): string {
  const lines = text.trim().split('\n')
  const line = lines.some(candidate => /^\s+at /.test(candidate)) ? lines[0] : lines.at(-1)
  return line?.trim() ?? ''
}
