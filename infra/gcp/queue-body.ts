// Which messages Pub/Sub takes and how they look there: the body as data, the rest as attributes. Pub/Sub cannot delay what is
// published, so a delay travels with the message and whoever pulls it too early holds it back.
import type { OutgoingMessage } from '../provider.ts'
import { GCP_LIMITS } from './limits.ts'

const TASK_ID = 'TaskId'
const DELAY = 'cloud-tasks-delay-seconds' // after Pub/Sub's own publish time, so that the sender's clock does not matter
const MAX_ATTRIBUTE_BYTES = 1_024
const FRAME_BYTES = 64 // lengths and tags around a message and its attributes, generously
const MAX_UTF8_BYTES_PER_UNIT = 3 // of a UTF-16 code unit

export interface Sendable {
  /** Into the messages given to `send`. */
  readonly index: number
  readonly data: Buffer
  readonly attributes: Readonly<Record<string, string>>
  /** At least what Pub/Sub will count. */
  readonly byteCount: number
}

export interface Arrived {
  readonly publishTime: { readonly seconds?: unknown; readonly nanos?: unknown } | undefined
  readonly attributes: Readonly<Record<string, string>> | undefined
}

export function sortOut(messages: readonly OutgoingMessage[]): {
  good: Sendable[]
  bad: (readonly [index: number, why: string])[]
} {
  const good: Sendable[] = []
  const bad: (readonly [index: number, why: string])[] = []
  for (const [index, message] of messages.entries()) {
    const { maxBodyBytes } = GCP_LIMITS
    const length = bodyBytes(message.body)
    if (length > maxBodyBytes) bad.push([index, `its body has ${length} bytes and the limit is ${maxBodyBytes}.`])
    else good.push(sendable(message, index))
  }
  return { good, bad }
}

/** How long it may not be handed out yet, by the time that Pub/Sub got it; at most what was asked for when it was sent. */
export function earlySeconds({ attributes, publishTime }: Arrived, nowMs: number): number {
  const seconds = delaySeconds(attributes)
  if (seconds === 0) return 0
  const publishedMs = Number(publishTime?.seconds ?? 0) * 1000 + Number(publishTime?.nanos ?? 0) / 1e6
  return Math.min(seconds, Math.max(0, (publishedMs + seconds * 1000 - nowMs) / 1000))
}

/** How often it was handed out; each time it had to be held back Pub/Sub has counted a delivery too. */
export function deliveryCount(attempt: number, { attributes }: Arrived): number {
  const held = delaySeconds(attributes) > 0 ? 1 : 0
  return Math.max(1, attempt - held)
}

function sendable({ body, taskId, delaySeconds = 0 }: OutgoingMessage, index: number): Sendable {
  const data = Buffer.from(body)
  const delay = Math.min(delaySeconds, GCP_LIMITS.maxDelaySeconds)
  const attributes: Record<string, string> = {}
  // Nobody needs the id to do the work, so one that does not fit into an attribute travels in the body alone.
  if (taskId && Buffer.byteLength(taskId) <= MAX_ATTRIBUTE_BYTES) attributes[TASK_ID] = taskId
  // A message of no data has to have an attribute.
  if (delay > 0 || (data.length === 0 && taskId === undefined)) attributes[DELAY] = String(delay)
  let byteCount = data.length + FRAME_BYTES
  for (const [key, value] of Object.entries(attributes))
    byteCount += FRAME_BYTES + key.length + Buffer.byteLength(value)
  return { index, data, attributes, byteCount }
}

function bodyBytes(body: string): number {
  const most = body.length * MAX_UTF8_BYTES_PER_UNIT
  return most > GCP_LIMITS.maxBodyBytes ? Buffer.byteLength(body) : most
}

function delaySeconds(attributes: Arrived['attributes']): number {
  const seconds = Number(attributes?.[DELAY] ?? 0)
  return seconds > 0 ? Math.min(seconds, GCP_LIMITS.maxDelaySeconds) : 0
}
