// Acknowledges, hands back and renews messages of a subscription by their receipts, half a megabyte of ids a request.
// Exactly-once subscriptions name in an error each id that was not settled; others take old ids in silence, so what has ended
// by our own clock is never sent.
import { systemClock } from '../../core/clock.ts'
import type { Receipt } from '../../core/ids.ts'
import type { AdaptiveLimit } from '../adaptive-limit.ts'
import type { Lease } from '../lease-book.ts'
import type { Settlement } from '../provider.ts'
import { PUBSUB_MAX_ACK_BYTES, PUBSUB_MAX_HOLD_SECONDS } from './limits.ts'
import type { QueueAddress } from './queue-address.ts'
import type { PubSubConnection } from './queue-connection.ts'
import { isMissing, jittered, persist } from './queue-request.ts'

const REQUEST_BYTES = 1_024 // the subscription's name and a deadline
const ID_FRAME_BYTES = 5
const MOST_IDS = 2_500 // of one request: ids have a hundred bytes and more
const TRANSIENT = /^TRANSIENT_/
const STALE = /^PERMANENT_FAILURE_INVALID_ACK_ID$/
const TRIES = 8 // of ids that the service could not settle just now
const PAUSE_MS = 100

interface SettlerParts {
  readonly address: QueueAddress
  readonly connection: PubSubConnection
  readonly leaseSeconds: number
  readonly limit: AdaptiveLimit
}

export class QueueSettler {
  readonly #parts: SettlerParts

  constructor(parts: SettlerParts) {
    this.#parts = parts
  }

  async ack(receipts: readonly Receipt[]): Promise<Settlement> {
    const { leases } = this.#parts.connection
    return this.#settle('acknowledging', receipts, {
      lostIds: ids => this.acknowledge(ids),
      settled: lease => leases.forget(lease),
    })
  }

  /** Others get the messages after `delaySeconds`. */
  async release(receipts: readonly Receipt[], delaySeconds: number): Promise<Settlement> {
    const { leases } = this.#parts.connection
    const seconds = Math.min(PUBSUB_MAX_HOLD_SECONDS, Math.max(0, Math.ceil(delaySeconds)))
    return this.#settle('handing back', receipts, {
      lostIds: ids => this.hold(ids, seconds),
      settled: lease => leases.setEnd(lease, 0),
    })
  }

  async renew(receipts: readonly Receipt[]): Promise<Settlement> {
    const { connection, leaseSeconds } = this.#parts
    // Counted from before the request: the new lease cannot end earlier than that.
    const endsMs = systemClock.now() + leaseSeconds * 1000
    return this.#settle('renewing', receipts, {
      lostIds: ids => this.hold(ids, leaseSeconds),
      settled: lease => connection.leases.setEnd(lease, endsMs),
    })
  }

  /** Nobody else gets these for so long; 0 = they go back. Returns the ids that were not ours any more. */
  hold(ids: readonly string[], seconds: number): Promise<ReadonlySet<string>> {
    return this.#request(ids, async (subscription, ackIds) => {
      const { connection } = this.#parts
      const { subscriber } = await connection.clients()
      const request = { subscription, ackIds: [...ackIds], ackDeadlineSeconds: seconds }
      await subscriber.modifyAckDeadline(request, connection.once())
    })
  }

  acknowledge(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const request: Request = async (subscription, ackIds) => {
      const { connection } = this.#parts
      const { subscriber } = await connection.clients()
      await subscriber.acknowledge({ subscription, ackIds: [...ackIds] }, connection.once())
    }
    // An answer was lost, and the repetition hears that the id is not good any more: its lease has not ended, so nobody else
    // can have made it so. Were it otherwise, the message would only come again.
    return this.#request(ids, request, { staleOnRepeat: 'settled' })
  }

  async #settle(doing: string, receipts: readonly Receipt[], how: How): Promise<Settlement> {
    const { address, connection } = this.#parts
    const { held, lost } = connection.leases.read([...new Set(receipts)])
    try {
      const gone = await how.lostIds(held.map(({ handle }) => handle))
      for (const lease of held) {
        if (gone.has(lease.handle)) lost.push(lease.receipt)
        else how.settled(lease)
      }
      return { lost }
    } catch (error) {
      if (!isMissing(error)) throw connection.failure(error, `${doing} messages of queue "${address.name}"`)
      // With the subscription its messages are gone too.
      address.forget()
      return { lost: [...lost, ...held.map(({ receipt }) => receipt)] }
    }
  }

  /** Rejects with the SDK's error; some of the ids may be settled then. */
  async #request(
    ids: readonly string[],
    request: Request,
    { staleOnRepeat = 'lost' }: { readonly staleOnRepeat?: 'lost' | 'settled' } = {},
  ): Promise<ReadonlySet<string>> {
    const lost = new Set<string>()
    if (ids.length === 0) return lost
    const subscription = await this.#parts.address.subscription()
    const { limit } = this.#parts
    await Promise.all(chunksOf(ids).map(chunk => limit.run(() => settleChunk(chunk))))
    return lost

    async function settleChunk(chunk: readonly string[]): Promise<void> {
      let open = chunk
      let unanswered = false
      for (let tryNumber = 1; open.length > 0; tryNumber++) {
        const failed = await persist(() => attempt(open), { limit })
        const again = new Set(open.filter(id => tryNumber < TRIES && TRANSIENT.test(failed[id] ?? '')))
        const settled = unanswered && staleOnRepeat === 'settled'
        for (const [id, why] of Object.entries(failed)) {
          if (!again.has(id) && !(settled && STALE.test(why))) lost.add(id)
        }
        open = [...again]
        if (open.length > 0) await systemClock.sleep(jittered(PAUSE_MS * 2 ** (tryNumber - 1)))
      }

      /** By id, why it was not settled. */
      async function attempt(ackIds: readonly string[]): Promise<Readonly<Record<string, string>>> {
        try {
          await request(subscription, ackIds)
          return {}
        } catch (error) {
          const failed = failuresById(error)
          if (failed !== undefined) return failed
          unanswered = true
          throw error
        }
      }
    }
  }
}

type Request = (subscription: string, ids: readonly string[]) => Promise<void>

interface How {
  readonly lostIds: (ids: readonly string[]) => Promise<ReadonlySet<string>>
  readonly settled: (lease: Lease) => void
}

/** https://cloud.google.com/pubsub/docs/exactly-once-delivery: ids that are not named were settled. */
function failuresById(error: unknown): Readonly<Record<string, string>> | undefined {
  if (!(error instanceof Error) || !('errorInfoMetadata' in error)) return undefined
  const metadata = error.errorInfoMetadata
  if (typeof metadata !== 'object' || metadata === null) return undefined
  const named = Object.entries(metadata).filter(([, why]) => /^(PERMANENT|TRANSIENT)_FAILURE/.test(String(why)))
  return named.length === 0 ? undefined : Object.fromEntries(named.map(([id, why]) => [id, String(why)]))
}

function chunksOf(ids: readonly string[]): readonly (readonly string[])[] {
  const chunks: string[][] = []
  let bytesLeft = 0
  for (const id of ids) {
    const bytes = Buffer.byteLength(id) + ID_FRAME_BYTES
    const last = chunks.at(-1)
    if (last === undefined || last.length === MOST_IDS || bytes > bytesLeft) {
      chunks.push([id])
      bytesLeft = PUBSUB_MAX_ACK_BYTES - REQUEST_BYTES - bytes
    } else {
      last.push(id)
      bytesLeft -= bytes
    }
  }
  return chunks
}
