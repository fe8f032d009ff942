// Which bodies SQS takes, and the one thing that can be done for the others: escapes inside JSON text.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
import type { OutgoingMessage } from '../provider.ts'
import { AWS_LIMITS, SQS_MAX_BYTES, SQS_MAX_ENTRIES } from './limits.ts'

// Everything but #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF; half surrogate pairs among it.
const FORBIDDEN = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u
const FORBIDDEN_ALL = new RegExp(FORBIDDEN, 'gu')
const MAX_UTF8_BYTES_PER_UNIT = 3 // of a UTF-16 code unit
const MAX_TASK_ID_BYTES = 900 // of what is kept free for attributes
const ALWAYS_FITS_BYTES = SQS_MAX_BYTES / SQS_MAX_ENTRIES / 2 // however many of them: not worth counting

export interface Sendable {
  /** Into the messages given to `send`. */
  readonly index: number
  readonly body: string
  readonly taskId: string | undefined
  readonly delaySeconds: number
  /** At least what SQS will count, attribute included. */
  readonly byteCount: number
}

export type Unsendable = readonly [index: number, why: string]

export function sortOut(messages: readonly OutgoingMessage[]): { good: Sendable[]; bad: Unsendable[] } {
  const good: Sendable[] = []
  const bad: Unsendable[] = []
  for (const [index, message] of messages.entries()) {
    const result = sendable(message, index)
    if (typeof result === 'string') bad.push([index, result])
    else good.push(result)
  }
  return { good, bad }
}

function sendable(message: OutgoingMessage, index: number): Sendable | string {
  const body = FORBIDDEN.test(message.body) ? escaped(message.body) : message.body
  if (body === undefined)
    return `its body contains ${firstForbidden(message.body)}, which SQS takes only inside JSON text.`
  if (body === '') return 'its body is empty, which SQS does not take.'
  const { maxBodyBytes, maxDelaySeconds } = AWS_LIMITS
  const most = body.length * MAX_UTF8_BYTES_PER_UNIT
  const byteCount = most > ALWAYS_FITS_BYTES ? Buffer.byteLength(body) : most
  if (byteCount > maxBodyBytes) return `its body has ${byteCount} bytes and the limit is ${maxBodyBytes}.`
  const taskId = attributeOf(message.taskId)
  return {
    index,
    body,
    taskId,
    delaySeconds: Math.ceil(Math.min(message.delaySeconds ?? 0, maxDelaySeconds)),
    byteCount: byteCount + (taskId === undefined ? 0 : 12 + Buffer.byteLength(taskId)), // `TaskId`, `String`
  }
}

/** In valid JSON such characters stand only inside strings, where an escape means the same. undefined: it is no JSON. */
function escaped(body: string): string | undefined {
  try {
    JSON.parse(body)
  } catch {
    return undefined
  }
  return body.replaceAll(FORBIDDEN_ALL, character => `\\u${codeOf(character)}`)
}

function firstForbidden(body: string): string {
  const character = FORBIDDEN.exec(body)?.[0] ?? ''
  return /[\ud800-\udfff]/.test(character) ? 'half a surrogate pair' : `U+${codeOf(character).toUpperCase()}`
}

function codeOf(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(4, '0')
}

/** Nobody needs the attribute to do the work, so an id that does not fit into one travels in the body alone. */
function attributeOf(taskId: string | undefined): string | undefined {
  if (taskId === undefined || taskId === '' || FORBIDDEN.test(taskId)) return undefined
  return Buffer.byteLength(taskId) > MAX_TASK_ID_BYTES ? undefined : taskId
}
