// Making, counting, emptying and removing an SQS queue.
import {
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  PurgeQueueCommand,
  type QueueAttributeName,
} from '@aws-sdk/client-sqs'
import { systemClock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import type { QueueAdmin, QueueDepth } from '../provider.ts'
import { awsErrorCode } from './failure.ts'
import type { QueueAddress } from './queue-address.ts'
import { isMissingQueue } from './queue-batch.ts'
import type { SqsConnection } from './queue-connection.ts'

// "If you purge a queue, wait 60 seconds": until then SQS may also delete what is sent after the call, and takes no other purge.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html
const PURGE_SECONDS = 60
const PURGE_PAUSE_MS = 2_000
const PURGE_SLACK_MS = 15_000

const COUNTS = {
  ready: 'ApproximateNumberOfMessages',
  leased: 'ApproximateNumberOfMessagesNotVisible',
  delayed: 'ApproximateNumberOfMessagesDelayed',
} as const satisfies Record<string, QueueAttributeName>

export class SqsQueueAdmin implements QueueAdmin {
  readonly #address: QueueAddress
  readonly #connection: SqsConnection

  constructor(address: QueueAddress, connection: SqsConnection) {
    this.#address = address
    this.#connection = connection
  }

  async ensure(): Promise<void> {
    await this.#do('making', () => this.#address.make())
  }

  async depth(): Promise<QueueDepth | undefined> {
    return this.#do('counting', async QueueUrl => {
      const AttributeNames = Object.values(COUNTS)
      const { Attributes } = await this.#connection.client.send(
        new GetQueueAttributesCommand({ QueueUrl: await QueueUrl(), AttributeNames }),
      )
      const count = (name: keyof typeof COUNTS) => Number(Attributes?.[COUNTS[name]] ?? 0)
      return { ready: count('ready'), leased: count('leased'), delayed: count('delayed'), estimated: true }
    })
  }

  /** Takes the minute that SQS needs: whoever sends afterwards can be sure that it stays. */
  async purge(): Promise<void> {
    const purgeMs = purgeSeconds(this.#connection.env) * 1000
    await this.#do('purging', async url => {
      const QueueUrl = await url()
      const giveUpMs = systemClock.now() + purgeMs + PURGE_SLACK_MS
      while (!(await this.#purge(QueueUrl, giveUpMs))) await systemClock.sleep(PURGE_PAUSE_MS)
      if (purgeMs > 0)
        this.#connection.warn(`Queue "${this.#address.name}" is being emptied; SQS takes a minute for it.`)
      await systemClock.sleep(purgeMs)
    })
  }

  async remove(): Promise<void> {
    await this.#do('removing', async url => {
      await this.#connection.client.send(new DeleteQueueCommand({ QueueUrl: await url() }))
    })
    this.#address.forget()
  }

  /** False while another purge of the last minute is in the way. */
  async #purge(QueueUrl: string, giveUpMs: number): Promise<boolean> {
    try {
      await this.#connection.client.send(new PurgeQueueCommand({ QueueUrl }))
      return true
    } catch (error) {
      if (awsErrorCode(error) !== 'PurgeQueueInProgress' || systemClock.now() > giveUpMs) throw error
      return false
    }
  }

  /** undefined: there is no such queue, so there is nothing to do. */
  async #do<T>(doing: string, act: (url: () => Promise<string>) => Promise<T>): Promise<T | undefined> {
    try {
      return await act(() => this.#address.url())
    } catch (error) {
      if (isMissingQueue(error)) {
        this.#address.forget()
        return undefined
      }
      throw this.#connection.failure(error, `${doing} queue "${this.#address.name}"`)
    }
  }
}

/** Emulators purge at once. */
function purgeSeconds(env: Readonly<Record<string, string | undefined>>): number {
  const text = env.CLOUD_TASKS_SQS_PURGE_SECONDS
  const seconds = Number(text || PURGE_SECONDS)
  if (seconds >= 0) return seconds
  throw new UserError(`CLOUD_TASKS_SQS_PURGE_SECONDS is "${text}": it must be a number of seconds.`)
}
