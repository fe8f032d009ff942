// Publishes to a queue's topic: a thousand messages or ten megabytes a request, several requests at once.
import type { AdaptiveLimit } from '../adaptive-limit.ts'
import { type OutgoingMessage, SendError } from '../provider.ts'
import { PUBSUB_MAX_MESSAGES, PUBSUB_MAX_PUBLISH_BYTES } from './limits.ts'
import type { QueueAddress } from './queue-address.ts'
import { type Sendable, sortOut } from './queue-body.ts'
import type { PubSubConnection } from './queue-connection.ts'
import { isMissing, persist } from './queue-request.ts'

const TOPIC_BYTES = 512 // of a request: the topic's name

interface SenderParts {
  readonly address: QueueAddress
  readonly connection: PubSubConnection
  readonly limit: AdaptiveLimit
}

export async function sendMessages(messages: readonly OutgoingMessage[], parts: SenderParts): Promise<void> {
  const { address, connection } = parts
  const { good, bad } = sortOut(messages)
  const { unsent: undone, error } = await publishAll(batchesOf(good), parts)
  if (undone.length > 0) {
    const unsent = [...bad.map(([index]) => index), ...undone.map(({ index }) => index)].sort((a, b) => a - b)
    const doing = `sending ${unsent.length} of ${messages.length} messages to queue "${address.name}"`
    const cause = connection.failure(error, doing)
    throw new SendError(cause.message, { unsent, cause })
  }
  const [first] = bad
  if (first === undefined) return
  const also = bad.length === 1 ? '' : ` (and ${bad.length - 1} more)`
  throw new SendError(`Message ${first[0]}${also} for queue "${address.name}" was not sent: ${first[1]}`, {
    unsent: bad.map(([index]) => index),
  })
}

/** Never rejects. After an error that does not pass no further batch is begun. */
async function publishAll(
  batches: readonly (readonly Sendable[])[],
  { address, connection, limit }: SenderParts,
): Promise<{ unsent: readonly Sendable[]; error: unknown }> {
  const unsent: Sendable[] = []
  let error: unknown
  let hopeless = false
  try {
    if (batches.length > 0) await address.ready()
  } catch (cause) {
    return { unsent: batches.flat(), error: cause }
  }
  await Promise.all(batches.map(batch => limit.run(() => publish(batch))))
  return { unsent, error }

  async function publish(batch: readonly Sendable[]): Promise<void> {
    try {
      if (!hopeless) return await persist(() => once(batch), { limit, hopeful: () => !hopeless })
    } catch (cause) {
      hopeless = true
      error ??= cause
    }
    unsent.push(...batch)
  }

  async function once(batch: readonly Sendable[]): Promise<void> {
    const { publisher } = await connection.clients()
    const messages = batch.map(({ data, attributes }) => ({ data, attributes }))
    const request = { topic: await address.topic(), messages }
    try {
      await publisher.publish(request, connection.once())
    } catch (cause) {
      if (!isMissing(cause)) throw cause
      await address.make() // as everybody does who sends first
      await publisher.publish(request, connection.once())
    }
  }
}

function batchesOf(messages: readonly Sendable[]): readonly (readonly Sendable[])[] {
  const batches: Sendable[][] = []
  let bytesLeft = 0
  for (const message of messages) {
    const last = batches.at(-1)
    if (last === undefined || last.length === PUBSUB_MAX_MESSAGES || message.byteCount > bytesLeft) {
      batches.push([message])
      bytesLeft = PUBSUB_MAX_PUBLISH_BYTES - TOPIC_BYTES - message.byteCount
    } else {
      last.push(message)
      bytesLeft -= message.byteCount
    }
  }
  return batches
}
