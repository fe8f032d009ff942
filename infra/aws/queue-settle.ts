// Deletes, hands back and renews messages of an SQS queue by their receipts, ten a request.
import {
  ChangeMessageVisibilityBatchCommand,
  type ChangeMessageVisibilityBatchRequestEntry,
  DeleteMessageBatchCommand,
} from '@aws-sdk/client-sqs'
import { systemClock } from '../../core/clock.ts'
import type { Receipt } from '../../core/ids.ts'
import { AdaptiveLimit } from '../adaptive-limit.ts'
import type { Lease } from '../lease-book.ts'
import type { Settlement } from '../provider.ts'
import { SQS_MAX_ENTRIES } from './limits.ts'
import type { QueueAddress } from './queue-address.ts'
import { type BatchAnswer, isMissingQueue, requestBatches } from './queue-batch.ts'
import type { SqsConnection } from './queue-connection.ts'

interface SettlerOptions {
  readonly address: QueueAddress
  readonly connection: SqsConnection
  readonly leaseSeconds: number
}

/** What SQS says of a receipt that is not good any more. Everything else it refuses is our mistake, and is told. */
const LOST_CODES = new Set([
  'ReceiptHandleIsInvalid',
  'InvalidParameterValue',
  'MessageNotInflight',
  'InvalidReceiptHandle',
])

export class QueueSettler {
  readonly #options: SettlerOptions
  readonly #limit = new AdaptiveLimit()

  constructor(options: SettlerOptions) {
    this.#options = options
  }

  async ack(receipts: readonly Receipt[]): Promise<Settlement> {
    const { leases, client } = this.#options.connection
    return this.#settle('deleting', receipts, {
      request: (QueueUrl, held) => {
        const Entries = held.map(({ handle }, index) => ({ Id: String(index), ReceiptHandle: handle }))
        return client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }))
      },
      settled: lease => leases.forget(lease),
    })
  }

  /** Others get the messages after `delaySeconds`. */
  async release(receipts: readonly Receipt[], delaySeconds: number): Promise<Settlement> {
    const { leases } = this.#options.connection
    const seconds = Math.ceil(delaySeconds)
    return this.#settle('handing back', receipts, {
      request: (url, held) => this.#changeVisibility(url, held, lease => Math.min(seconds, leases.secondsLeft(lease))),
      settled: lease => leases.setEnd(lease, 0),
    })
  }

  async renew(receipts: readonly Receipt[]): Promise<Settlement> {
    const { leases } = this.#options.connection
    const { leaseSeconds } = this.#options
    const secondsOf = (lease: Lease) => Math.min(leaseSeconds, leases.secondsLeft(lease))
    const ends = new Map<Lease, number>()
    return this.#settle('renewing', receipts, {
      able: lease => secondsOf(lease) >= 1,
      request: (url, held) => {
        // Counted from before the request: the new lease cannot end earlier than that.
        const nowMs = systemClock.now()
        return this.#changeVisibility(url, held, lease => {
          const seconds = Math.max(0, secondsOf(lease))
          ends.set(lease, nowMs + seconds * 1000)
          return seconds
        })
      },
      settled: lease => leases.setEnd(lease, ends.get(lease) ?? 0),
    })
  }

  #changeVisibility(QueueUrl: string, held: readonly Lease[], secondsOf: (lease: Lease) => number) {
    const Entries = held.map<ChangeMessageVisibilityBatchRequestEntry>((lease, index) => ({
      Id: String(index),
      ReceiptHandle: lease.handle,
      VisibilityTimeout: Math.max(0, secondsOf(lease)),
    }))
    return this.#options.connection.client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }))
  }

  async #settle(doing: string, receipts: readonly Receipt[], how: How): Promise<Settlement> {
    const { address, connection } = this.#options
    const { held: open, lost } = connection.leases.read([...new Set(receipts)])
    const { yes: held, no: unable } = parted(open, how.able)
    const batches = []
    for (let start = 0; start < held.length; start += SQS_MAX_ENTRIES) {
      batches.push(held.slice(start, start + SQS_MAX_ENTRIES))
    }
    const { refused, undone, error } = await requestBatches(batches, {
      limit: this.#limit,
      request: async entries => how.request(await address.url(), entries),
    })
    const gone = new Set([...refused.map(({ entry }) => entry), ...undone])
    for (const lease of held) if (!gone.has(lease)) how.settled(lease)
    const what = `${doing} messages of queue "${address.name}"`
    const odd = refused.find(({ code }) => !LOST_CODES.has(code))
    if (odd !== undefined) throw connection.failure(new Error(odd.said), what)
    if (undone.length > 0 && !isMissingQueue(error)) throw connection.failure(error, what)
    // With the queue its messages are gone too.
    if (undone.length > 0) address.forget()
    for (const { receipt } of [...unable, ...gone]) lost.push(receipt)
    return { lost }
  }
}

function parted(leases: readonly Lease[], able: How['able'] = () => true): { yes: Lease[]; no: Lease[] } {
  const yes: Lease[] = []
  const no: Lease[] = []
  for (const lease of leases) (able(lease) ? yes : no).push(lease)
  return { yes, no }
}

interface How {
  /** False: it cannot even be tried, and is lost. */
  readonly able?: (lease: Lease) => boolean
  readonly request: (url: string, held: readonly Lease[]) => Promise<BatchAnswer>
  readonly settled: (lease: Lease) => void
}
