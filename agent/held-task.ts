// A task message while this agent holds it: what is known of it without looking into its data.

import { parseExactJson } from '../core/exact-json.ts'
import { type Receipt, type TaskId, taskId } from '../core/ids.ts'
import type { Json, TaskMessage } from '../core/task.ts'
import type { Delivery } from '../infra/provider.ts'

export interface HeldTask {
  readonly taskId: TaskId
  /** The id as JSON, to compare answers with. */
  readonly quotedId: string
  readonly body: string
  /** What a task process is sent, ended by a newline. */
  line: string
  readonly receipt: Receipt
  readonly deliveryCount: number
  /** Counts from 1. */
  readonly attempt: number
  /** Epoch ms; 0 = at once. */
  readonly notBeforeMs: number
  readonly checkpoint: Json | undefined
  /** Saved by this attempt. */
  savedCheckpoint: Json | undefined
  /** Acked or handed back: no lease to keep. */
  settled: boolean
  /** The lease is lost: the message is somebody else's. */
  lost: boolean
  /** Was in a process that died by a signal, with others: runs alone next, to find out whose fault it was. */
  suspect: boolean
}

/** A sentence in place of a task = the body is not a task message, and why. */
export function holdTask({ body, receipt, deliveryCount }: Delivery): HeldTask | string {
  let message: unknown
  try {
    message = JSON.parse(body)
  } catch (error) {
    if (error instanceof SyntaxError) return `it is not JSON (${error.message})`
    throw error
  }
  if (!record(message)) return 'it is not a JSON object'
  const { task_id: id, data, attempt, not_before: notBefore, checkpoint } = message
  if (typeof id !== 'string' || id === '') return '"task_id" is not a non-empty string'
  if (!record(data)) return `"data" of task "${id}" is not an object`
  return {
    taskId: taskId(id),
    quotedId: JSON.stringify(id),
    body,
    line: fitsOnALine(body) ? `${body}\n` : `${JSON.stringify(inOrder(parsedMessage(body)))}\n`,
    receipt,
    deliveryCount,
    attempt: typeof attempt === 'number' && attempt >= 1 ? attempt : 1,
    notBeforeMs: typeof notBefore === 'string' ? Date.parse(notBefore) || 0 : 0,
    checkpoint: checkpoint as Json | undefined,
    savedCheckpoint: undefined,
    settled: false,
    lost: false,
    suspect: false,
  }
}

/** The whole message, with every digit of its numbers, to make a successor of. */
export function parsedMessage(body: string): TaskMessage {
  return parseExactJson(body) as TaskMessage // `holdTask` has seen that it is one
}

/** `task_id` first, so that the line does not begin like a control line. */
function inOrder({ task_id, ...rest }: TaskMessage): TaskMessage {
  return { task_id, ...rest }
}

/** Neither broken over lines nor to be mistaken for a control line. */
function fitsOnALine(body: string): boolean {
  return body.startsWith('{"') && !body.startsWith('{"control"') && !body.includes('\n') && !body.includes('\r')
}

function record(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
