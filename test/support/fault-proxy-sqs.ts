// The faults of SQS for the fault proxy: throttling, servers that fail, batches that are done in part, messages given out twice.
import { z } from 'zod'
import { type Answer, type Exchange, type Fault, refusal } from './fault-proxy.ts'

const BATCHES = new Set(['SendMessageBatch', 'DeleteMessageBatch', 'ChangeMessageVisibilityBatch'])

/** Requests that may be repeated without anybody noticing. */
export const REPEATABLE: ReadonlySet<string> = new Set([
  'CreateQueue',
  'DeleteMessageBatch',
  'GetQueueAttributes',
  'GetQueueUrl',
  'PurgeQueue',
])

export function throttled(share: number): readonly Fault[] {
  return [
    refusal('throttled with 400', share / 2, sqsError(400, 'ThrottlingException', 'Rate exceeded')),
    refusal(
      'throttled with 503',
      share / 2,
      sqsError(503, 'RequestThrottled', 'The request was denied due to throttling'),
    ),
  ]
}

export function failingServer(share: number): readonly Fault[] {
  return [
    refusal('server error 500', share / 2, sqsError(500, 'InternalFailure', 'We encountered an internal error')),
    refusal('server error 503', share / 2, sqsError(503, 'ServiceUnavailable', 'Service is unavailable')),
  ]
}

export function sqsError(status: number, code: string, message: string): Answer {
  const body = Buffer.from(JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message }))
  return { status, headers: { 'content-type': 'application/x-amz-json-1.0' }, body }
}

const batchRequest = z.looseObject({ Entries: z.array(z.looseObject({ Id: z.string() })) })
const batchAnswer = z.looseObject({ Failed: z.array(z.unknown()).optional() })

/** One entry of a batch fails; the service never hears of it. */
export function failedEntry(share: number): Fault {
  return {
    name: 'failed entry',
    share,
    concerns: ({ action }) => BATCHES.has(action),
    async strike(exchange) {
      const {
        Entries: [unlucky, ...others],
        ...rest
      } = batchRequest.parse(parsed(exchange.body))
      const failed = { Id: unlucky?.Id, Code: 'InternalError', Message: 'Something failed', SenderFault: false }
      if (others.length === 0) return exchange.reply(answered({ Successful: [], Failed: [failed] }))
      exchange.body = Buffer.from(JSON.stringify({ ...rest, Entries: others }))
      const answer = await exchange.forward()
      if (answer.status !== 200) return exchange.reply(answer)
      const done = batchAnswer.parse(parsed(answer.body))
      exchange.reply(answered({ ...done, Failed: [...(done.Failed ?? []), failed] }))
    },
  }
}

const receiveRequest = z.looseObject({ QueueUrl: z.string(), MaxNumberOfMessages: z.number().optional() })
const receiveAnswer = z.looseObject({ Messages: z.array(z.unknown()).optional() })

/** A message that was given out is given out once more, in the place of an answer with others. */
export function duplicateDelivery(share: number): Fault {
  const given = new Map<string, unknown>()
  return {
    name: 'duplicate delivery',
    share,
    concerns: ({ action }) => action === 'ReceiveMessage',
    async strike(exchange) {
      const { QueueUrl } = receiveRequest.parse(parsed(exchange.body))
      const again = given.get(QueueUrl)
      if (again !== undefined) {
        given.delete(QueueUrl)
        return exchange.reply(answered({ Messages: [again] }))
      }
      const answer = await exchange.forward()
      const message = answer.status === 200 ? receiveAnswer.parse(parsed(answer.body)).Messages?.at(0) : undefined
      if (message !== undefined) given.set(QueueUrl, message)
      exchange.reply(answer)
    },
  }
}

function answered(content: unknown): Answer {
  const body = Buffer.from(JSON.stringify(content))
  return { status: 200, headers: { 'content-type': 'application/x-amz-json-1.0' }, body }
}

function parsed(body: Buffer): unknown {
  return JSON.parse(body.toString('utf8'))
}

export function only(fault: Fault, concerns: (exchange: Exchange) => boolean): Fault {
  return { ...fault, concerns }
}
