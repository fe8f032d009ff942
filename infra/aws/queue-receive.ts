// Receives from an SQS queue: one long poll while it is empty, many short ones at once while it is full. Whatever arrives after
// a receive was aborted goes back at once.
import { type Message, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { systemClock } from '../../core/clock.ts'
import type { Receipt } from '../../core/ids.ts'
import type { Delivery, ReceiveOptions } from '../provider.ts'
import { awsErrorCode } from './failure.ts'
import { AWS_LIMITS, SQS_MAX_ENTRIES, SQS_MAX_WAIT_SECONDS } from './limits.ts'
import type { QueueAddress } from './queue-address.ts'
import { isMissingQueue } from './queue-batch.ts'
import type { SqsConnection } from './queue-connection.ts'

const MOST_POLLS = 50 // at once
const GROWTH = 2
const DRAINED_SHARE = 0.5 // of what was asked for: SQS often gives eight or nine of ten out of a long queue
const EMPTY_PAUSE_MS = 200 // between looks that SQS does not wait for: no queue, or less than a second left

interface ReceiverOptions {
  readonly address: QueueAddress
  readonly connection: SqsConnection
  readonly leaseSeconds: number
  /** Hands back what came too late. Must not reject. */
  readonly giveBack: (receipts: readonly Receipt[]) => Promise<unknown>
}

export class QueueReceiver {
  readonly #options: ReceiverOptions
  /** Polls that run at once: as many as lately all came back full. */
  #width = 1

  constructor(options: ReceiverOptions) {
    this.#options = options
  }

  async receive({ maxMessages, waitSeconds, signal }: ReceiveOptions): Promise<readonly Delivery[]> {
    const wanted = wholeRequests(Math.min(maxMessages, AWS_LIMITS.maxBatch))
    const deadlineMs = systemClock.now() + waitSeconds * 1000
    while (!signal?.aborted && wanted > 0) {
      const leftMs = Math.max(0, deadlineMs - systemClock.now())
      const pollSeconds = this.#width > 1 ? 0 : Math.min(Math.round(leftMs / 1000), SQS_MAX_WAIT_SECONDS)
      const deliveries = await new Wave(this.#options, wanted, this.#width, pollSeconds).run(signal)
      this.#width = nextWidth(this.#width, deliveries.length, wanted)
      if (deliveries.length > 0) return deliveries
      if (systemClock.now() >= deadlineMs) break
      if (pollSeconds === 0) await systemClock.sleep(Math.min(EMPTY_PAUSE_MS, deadlineMs - systemClock.now()), signal)
    }
    return []
  }
}

/** The polls of one look into the queue. */
class Wave {
  readonly #options: ReceiverOptions
  readonly #wanted: number
  readonly #pollSeconds: number
  #width: number
  #asked = 0 // by polls that are under way
  #polls = 0 // under way
  #drained = false
  #over = false
  #error: unknown
  readonly #came: Delivery[] = []
  readonly #done = Promise.withResolvers<void>()

  constructor(options: ReceiverOptions, wanted: number, width: number, pollSeconds: number) {
    this.#options = options
    this.#wanted = wanted
    this.#width = width
    this.#pollSeconds = pollSeconds
  }

  async run(signal: AbortSignal | undefined): Promise<readonly Delivery[]> {
    const abort = () => this.#done.resolve()
    signal?.addEventListener('abort', abort, { once: true })
    this.#startPolls()
    await this.#done.promise
    signal?.removeEventListener('abort', abort)
    this.#over = true
    if (signal?.aborted) {
      this.#giveBack(this.#came)
      return []
    }
    if (this.#came.length === 0 && this.#error !== undefined) {
      const { address, connection } = this.#options
      throw connection.failure(this.#error, `receiving from queue "${address.name}"`)
    }
    return this.#came
  }

  #startPolls(): void {
    while (!this.#drained && this.#polls < this.#width && this.#came.length + this.#asked < this.#wanted) {
      const count = Math.min(SQS_MAX_ENTRIES, this.#wanted - this.#came.length - this.#asked)
      this.#asked += count
      this.#polls++
      this.#options.connection.finish(this.#poll(count))
    }
    if (this.#polls === 0) this.#done.resolve()
  }

  async #poll(count: number): Promise<void> {
    let deliveries: readonly Delivery[] = []
    try {
      deliveries = await this.#request(count)
    } catch (error) {
      if (isMissingQueue(error)) this.#options.address.forget()
      // Too many messages are held already: to the caller that is an empty queue.
      else if (awsErrorCode(error) !== 'OverLimit') this.#error ??= error
    }
    this.#asked -= count
    this.#polls--
    if (this.#over) return this.#giveBack(deliveries)
    this.#came.push(...deliveries)
    if (deliveries.length < count * DRAINED_SHARE) this.#drained = true
    else this.#width = Math.min(this.#width * GROWTH, MOST_POLLS)
    this.#startPolls()
  }

  async #request(count: number): Promise<readonly Delivery[]> {
    const { address, connection, leaseSeconds } = this.#options
    const WaitTimeSeconds = this.#came.length === 0 ? this.#pollSeconds : 0 // nothing in hand waits for more
    const command = new ReceiveMessageCommand({
      QueueUrl: await address.url(),
      MaxNumberOfMessages: count,
      VisibilityTimeout: leaseSeconds,
      WaitTimeSeconds,
      MessageSystemAttributeNames: ['ApproximateReceiveCount'],
    })
    const requestTimeout = WaitTimeSeconds * 1000 + connection.answerMs
    const { Messages = [] } = await connection.client.send(command, {
      requestTimeout,
      abortSignal: connection.closed,
    })
    return Messages.flatMap(message => this.#delivery(message))
  }

  #delivery({ Body, ReceiptHandle, Attributes }: Message): Delivery[] {
    if (ReceiptHandle === undefined) return []
    const { connection, leaseSeconds } = this.#options
    return [
      {
        body: Body ?? '',
        receipt: connection.leases.grant(ReceiptHandle, leaseSeconds),
        deliveryCount: Number(Attributes?.ApproximateReceiveCount ?? 1),
      },
    ]
  }

  /** Nobody holds it, so others should not wait for its lease to end. */
  #giveBack(deliveries: readonly Delivery[]): void {
    if (deliveries.length === 0) return
    this.#options.connection.finish(this.#options.giveBack(deliveries.map(({ receipt }) => receipt)))
  }
}

/** A request costs the same for one message as for ten, and the caller comes again anyway. */
function wholeRequests(count: number): number {
  return count < SQS_MAX_ENTRIES ? Math.floor(count) : count - (Math.floor(count) % SQS_MAX_ENTRIES)
}

function nextWidth(width: number, came: number, wanted: number): number {
  const requests = Math.ceil(wanted / SQS_MAX_ENTRIES)
  if (came < wanted * DRAINED_SHARE)
    return Math.max(1, Math.min(Math.floor(width / GROWTH), Math.ceil(came / SQS_MAX_ENTRIES)))
  return Math.min(MOST_POLLS, Math.max(width, requests))
}
