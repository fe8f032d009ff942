// Sends to an SQS queue: ten messages or one mebibyte a request, many requests at once.
import { SendMessageBatchCommand, type SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import type { AdaptiveLimit } from '../adaptive-limit.ts'
import { type OutgoingMessage, SendError } from '../provider.ts'
import { SQS_MAX_BYTES, SQS_MAX_ENTRIES } from './limits.ts'
import type { QueueAddress } from './queue-address.ts'
import { isMissingQueue, requestBatches } from './queue-batch.ts'
import { type Sendable, sortOut, type Unsendable } from './queue-body.ts'
import type { SqsConnection } from './queue-connection.ts'

interface SendOptions {
  readonly address: QueueAddress
  readonly connection: SqsConnection
  readonly limit: AdaptiveLimit
}

export async function sendMessages(
  messages: readonly OutgoingMessage[],
  { address, connection, limit }: SendOptions,
): Promise<void> {
  const { good, bad } = sortOut(messages)
  const { refused, undone, error } = await requestBatches(batchesOf(good), {
    limit,
    request: async entries => {
      const QueueUrl = await address.url()
      return connection.client.send(new SendMessageBatchCommand({ QueueUrl, Entries: entries.map(entryOf) }))
    },
    mend: async failure => {
      if (!isMissingQueue(failure)) return false
      address.forget()
      await address.make() // as everybody does who sends first
      return true
    },
  })
  const unsendable: Unsendable[] = [...bad, ...refused.map(({ entry, said }) => [entry.index, `${said}.`] as const)]
  if (unsendable.length + undone.length === 0) return
  const unsent = [...unsendable, ...undone.map(({ index }) => [index] as const)].map(([index]) => index)
  unsent.sort((a, b) => a - b)
  if (undone.length > 0) {
    const cause = connection.failure(
      error,
      `sending ${unsent.length} of ${messages.length} messages to queue "${address.name}"`,
    )
    throw new SendError(cause.message, { unsent, cause })
  }
  const [first] = unsendable.toSorted(([a], [b]) => a - b)
  const also = unsendable.length === 1 ? '' : ` (and ${unsendable.length - 1} more)`
  throw new SendError(`Message ${first?.[0]}${also} for queue "${address.name}" was not sent: ${first?.[1]}`, {
    unsent,
  })
}

function batchesOf(messages: readonly Sendable[]): readonly (readonly Sendable[])[] {
  const batches: Sendable[][] = []
  let bytesLeft = 0
  for (const message of messages) {
    const last = batches.at(-1)
    if (last === undefined || last.length === SQS_MAX_ENTRIES || message.byteCount > bytesLeft) {
      batches.push([message])
      bytesLeft = SQS_MAX_BYTES - message.byteCount
    } else {
      last.push(message)
      bytesLeft -= message.byteCount
    }
  }
  return batches
}

function entryOf({ body, taskId, delaySeconds }: Sendable, index: number): SendMessageBatchRequestEntry {
  return {
    Id: String(index),
    MessageBody: body,
    ...(delaySeconds > 0 && { DelaySeconds: delaySeconds }),
    ...(taskId !== undefined && { MessageAttributes: { TaskId: { DataType: 'String', StringValue: taskId } } }),
  }
}
