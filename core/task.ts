// What a task is, in the file the user writes and in the queue. Knows nothing of how it is run or stored.
import type { TaskId } from './ids.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

export const PRIORITIES = ['high', 'normal', 'low'] as const
/** Served strictly in this order by providers that can. */
export type Priority = (typeof PRIORITIES)[number]

/** One task of a task file. */
export interface Task {
  readonly taskId: TaskId
  readonly data: JsonObject
  readonly priority?: Priority
  /** Free text to route by; task code sees it. */
  readonly type?: string
  /** Not to be started before this instant. */
  readonly notBeforeAt?: Date
}

/** Why an attempt ended without a final result; kept in the message so that a dead letter explains itself. */
export interface AttemptNote {
  readonly attempt: number
  readonly reason: string
  readonly at: string
  readonly instance?: string
}

/**
 * The body of a task message, as JSON in the queue. `task_id` and `data` are all that other programs need;
 * the rest is ours and optional: a message without it is a first attempt.
 */
export interface TaskMessage {
  readonly task_id: TaskId
  readonly data: JsonObject
  readonly type?: string
  readonly priority?: Priority
  /** ISO-8601. Providers with short delays deliver early; the agent hands the message back. */
  readonly not_before?: string
  /** Counts from 1. */
  readonly attempt?: number
  /** Attempts that burned the retry budget. */
  readonly failures?: number
  /** Attempts ended by a preemption or a shutdown; they burn nothing unless `max_preemptions` is set. */
  readonly preemptions?: number
  /** What the task last saved, or a reference to it in the object store. */
  readonly checkpoint?: Json
  /** The latest notes, oldest first; bounded by `MAX_ATTEMPT_NOTES`. */
  readonly history?: readonly AttemptNote[]
}

export const MAX_ATTEMPT_NOTES = 20 // a dead letter must stay far below the smallest body limit (256 KB)

export const SUCCESSOR_BYTES = 256 // by which a message may grow when it only counts its attempts

/** The JSON of a message that must not be longer than a queue takes: it gives up its oldest notes first, then its checkpoint. */
export function fittedBody(message: TaskMessage, maxBodyBytes: number): string {
  const body = JSON.stringify(message)
  if (Buffer.byteLength(body) <= maxBodyBytes) return body
  const { history = [], checkpoint, ...bare } = message
  if (history.length > 0) return fittedBody({ ...message, history: history.slice(1) }, maxBodyBytes)
  return checkpoint === undefined ? body : JSON.stringify(bare)
}

export function messageOfTask(task: Task): TaskMessage {
  return {
    task_id: task.taskId,
    data: task.data,
    ...(task.type === undefined ? undefined : { type: task.type }),
    ...(task.priority === undefined ? undefined : { priority: task.priority }),
    ...(task.notBeforeAt === undefined ? undefined : { not_before: task.notBeforeAt.toISOString() }),
  }
}
