// Where an SQS queue is: its URL, asked for once, and how it is made when it is not there.
import {
  CreateQueueCommand,
  type CreateQueueCommandInput,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type QueueAttributeName,
  SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs'
import { systemClock } from '../../core/clock.ts'
import { deadLetterQueueName } from '../../core/names.ts'
import { awsErrorCode, awsFailureKind } from './failure.ts'
import { AWS_LIMITS, SQS_MAX_BYTES, SQS_MAX_WAIT_SECONDS, SQS_RETENTION_SECONDS } from './limits.ts'
import { isMissingQueue } from './queue-batch.ts'
import type { SqsConnection } from './queue-connection.ts'

const DELETED_RECENTLY_MS = 75_000 // SQS keeps a name for 60 s after its queue is deleted
const DELETED_RECENTLY_PAUSE_MS = 2_000
// The most that SQS allows: a release counts as a receive there, so our own budgets of attempts have to be what decides.
const MAX_RECEIVE_COUNT = 1_000

export class QueueAddress {
  readonly name: string
  readonly #connection: SqsConnection
  readonly #leaseSeconds: number
  #url: Promise<string> | undefined
  #making: Promise<void> | undefined

  constructor(name: string, connection: SqsConnection, leaseSeconds: number) {
    this.name = name
    this.#connection = connection
    this.#leaseSeconds = leaseSeconds
  }

  /** Rejects with the SDK's error for a queue that does not exist. */
  url(): Promise<string> {
    this.#url ??= urlOf(this.#connection, this.name).catch((error: unknown) => {
      this.forget()
      throw error
    })
    return this.#url
  }

  /** The queue is gone, or was made anew. */
  forget(): void {
    this.#url = undefined
  }

  /** Makes the queue if it is not there; one that is keeps its attributes, whoever set them. */
  make(): Promise<void> {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined
    })
    return this.#making
  }

  async #make(): Promise<void> {
    const redrive = await this.#redrivePolicy()
    const made = await this.#create({
      VisibilityTimeout: String(this.#leaseSeconds),
      MessageRetentionPeriod: String(SQS_RETENTION_SECONDS),
      MaximumMessageSize: String(SQS_MAX_BYTES),
      ReceiveMessageWaitTimeSeconds: String(SQS_MAX_WAIT_SECONDS),
      SqsManagedSseEnabled: 'true',
      ...(redrive && { RedrivePolicy: redrive }),
    })
    if (!made && redrive !== undefined) await this.#addRedrive(redrive)
  }

  /** False: it was there before, with other attributes, or somebody else may make queues and we may not. */
  async #create(Attributes: NonNullable<CreateQueueCommandInput['Attributes']>): Promise<boolean> {
    const giveUpMs = systemClock.now() + DELETED_RECENTLY_MS
    for (;;) {
      try {
        const { QueueUrl } = await this.#connection.client.send(
          new CreateQueueCommand({ QueueName: this.name, Attributes }),
        )
        this.#url = QueueUrl === undefined ? undefined : Promise.resolve(QueueUrl)
        return true
      } catch (error) {
        const code = awsErrorCode(error)
        this.forget()
        if (code === 'QueueDeletedRecently' && systemClock.now() < giveUpMs) {
          await systemClock.sleep(DELETED_RECENTLY_PAUSE_MS)
          continue
        }
        if (code === 'QueueNameExists' || code === 'QueueAlreadyExists') return false
        if (awsFailureKind(error) === 'denied' && (await this.#exists())) return false
        throw error
      }
    }
  }

  async #exists(): Promise<boolean> {
    return this.url().then(
      () => true,
      () => false,
    )
  }

  /** undefined: there is no dead-letter queue of this name, as for dead-letter queues themselves. */
  async #redrivePolicy(): Promise<string | undefined> {
    try {
      const { client } = this.#connection
      const QueueUrl = await urlOf(this.#connection, deadLetterQueueName(this.name))
      const AttributeNames: QueueAttributeName[] = ['QueueArn']
      const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }))
      const deadLetterTargetArn = Attributes?.QueueArn
      if (deadLetterTargetArn === undefined) return undefined
      return JSON.stringify({ deadLetterTargetArn, maxReceiveCount: MAX_RECEIVE_COUNT })
    } catch (error) {
      // Who may not look has no say in it either.
      if (isMissingQueue(error) || awsFailureKind(error) === 'denied') return undefined
      throw error
    }
  }

  async #addRedrive(RedrivePolicy: string): Promise<void> {
    try {
      const { client } = this.#connection
      const QueueUrl = await this.url()
      const AttributeNames: QueueAttributeName[] = ['RedrivePolicy']
      const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames }))
      if (Attributes?.RedrivePolicy) return
      await client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { RedrivePolicy } }))
    } catch (error) {
      if (awsFailureKind(error) !== 'denied') throw error
    }
  }
}

async function urlOf({ client }: SqsConnection, name: string): Promise<string> {
  const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: name }))
  if (QueueUrl === undefined) throw new Error('SQS gave no URL')
  return QueueUrl
}

/** Whole seconds, as SQS counts; a lease of less than one would end before anybody hears of it. */
export function wholeLeaseSeconds(leaseSeconds: number): number {
  return Math.max(1, Math.ceil(Math.min(leaseSeconds, AWS_LIMITS.maxLeaseSeconds)))
}
