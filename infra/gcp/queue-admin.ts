// Making, counting, emptying and removing a queue of Pub/Sub.
import { systemClock } from '../../core/clock.ts'
import type { QueueAdmin, QueueDepth } from '../provider.ts'
import type { QueueAddress } from './queue-address.ts'
import { Backlog, type Undelivered } from './queue-backlog.ts'
import { earlySeconds } from './queue-body.ts'
import type { PubSubConnection } from './queue-connection.ts'
import { Pull } from './queue-pull.ts'
import { isMissing, isUnknownToServer, persist } from './queue-request.ts'
import type { QueueSettler } from './queue-settle.ts'

// Publish times are only as exact as the clocks of Pub/Sub's servers: https://cloud.google.com/pubsub/docs/replay-overview
const PURGE_AHEAD_MS = 10_000
const PURGE_SETTLE_MS = 20_000
const PEEK_MESSAGES = 10
const PEEK_MS = 1_000
const PEEK_EVERY_MS = 15_000 // each look counts as a delivery of what it sees

interface AdminParts {
  readonly address: QueueAddress
  readonly connection: PubSubConnection
  readonly settler: QueueSettler
}

export class PubSubQueueAdmin implements QueueAdmin {
  readonly #parts: AdminParts
  readonly #backlog: Backlog
  #peeked: { readonly atMs: number; readonly depth: Promise<QueueDepth> } | undefined
  #warned = false

  constructor(parts: AdminParts) {
    this.#parts = parts
    this.#backlog = new Backlog(parts.connection.gcp, parts.address.name)
  }

  async ensure(): Promise<void> {
    await this.#do('making', () => this.#parts.address.make())
  }

  async depth(): Promise<QueueDepth | undefined> {
    return this.#do('counting', async () => {
      const facts = await this.#parts.address.look()
      if (facts === undefined) return undefined
      const undelivered = await this.#backlog.undelivered()
      if (undelivered.kind === 'count') return estimate(undelivered.count)
      // Where Pub/Sub counts deliveries, to look at a message often enough is to declare it dead.
      if (!facts.deadLettered) return this.#peek(undelivered)
      if (undelivered.kind === 'unavailable') throw undelivered.error
      return estimate(0)
    })
  }

  /** To a moment a little ahead, and takes until after it: whoever sends afterwards can be sure that it stays. */
  async purge(): Promise<void> {
    const { address, connection } = this.#parts
    await this.#do('purging', async () => {
      const { subscriber } = await connection.clients()
      const subscription = await address.subscription()
      const aheadMs = connection.emulated ? 0 : PURGE_AHEAD_MS
      const ms = systemClock.now() + aheadMs
      const time = { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1e6 }
      try {
        await persist(() => subscriber.seek({ subscription, time }, connection.once()))
      } catch (error) {
        if (!isUnknownToServer(error)) throw error
        await this.#removeSubscription()
        await address.make()
      }
      if (aheadMs > 0) {
        connection.warn(`Queue "${address.name}" is being emptied; Pub/Sub takes half a minute for it.`)
        await systemClock.sleep(aheadMs + PURGE_SETTLE_MS)
      }
    })
    this.#forget()
  }

  /** Subscription first: killed in between, what is left is a topic, which the next one who makes or sends completes. */
  async remove(): Promise<void> {
    const { address, connection } = this.#parts
    await this.#do('removing', () => this.#removeSubscription())
    await this.#do('removing', async () => {
      const { publisher } = await connection.clients()
      const topic = await address.topic()
      await persist(() => publisher.deleteTopic({ topic }, connection.once()))
    })
    this.#forget()
  }

  async #removeSubscription(): Promise<void> {
    const { address, connection } = this.#parts
    const { subscriber } = await connection.clients()
    const subscription = await address.subscription()
    await persist(() => subscriber.deleteSubscription({ subscription }, connection.once()))
  }

  #peek(because: Undelivered): Promise<QueueDepth> {
    const nowMs = systemClock.now()
    if (this.#peeked === undefined || nowMs - this.#peeked.atMs > PEEK_EVERY_MS) {
      this.#peeked = { atMs: nowMs, depth: this.#lookIn() }
      this.#warnOnce(because)
    }
    return this.#peeked.depth
  }

  /** At least so many are there. */
  async #lookIn(): Promise<QueueDepth> {
    const { address, connection, settler } = this.#parts
    const giveBack = (ackIds: readonly string[]) => settler.hold(ackIds, 0).catch(() => undefined)
    const pull = new Pull({ address, connection, giveBack }, { maxMessages: PEEK_MESSAGES, waitMs: PEEK_MS })
    const outcome = await pull.outcome(PEEK_MS, undefined)
    if (outcome?.kind === 'failed') throw outcome.error
    if (outcome?.kind !== 'messages') return estimate(0)
    const nowMs = systemClock.now()
    const early = outcome.messages.filter(message => earlySeconds(message, nowMs) > 0)
    await giveBack(outcome.messages.map(({ ackId }) => ackId))
    return { ...estimate(outcome.messages.length - early.length), delayed: early.length }
  }

  #warnOnce(because: Undelivered): void {
    if (this.#warned || because.kind !== 'unavailable' || this.#parts.connection.emulated) return
    this.#warned = true
    const { address, connection } = this.#parts
    const { message } = connection.failure(because.error, `asking Cloud Monitoring for the length of "${address.name}"`)
    connection.warn(`${message} Until then the length is only looked at, and shown as at most ${PEEK_MESSAGES}.`)
  }

  #forget(): void {
    this.#parts.address.forget()
    this.#backlog.forget()
    this.#peeked = undefined
  }

  /** undefined: there is no such queue, so there is nothing to do. */
  async #do<T>(doing: string, act: () => Promise<T>): Promise<T | undefined> {
    const { address, connection } = this.#parts
    try {
      return await act()
    } catch (error) {
      if (!isMissing(error)) throw connection.failure(error, `${doing} queue "${address.name}"`)
      this.#forget()
      return undefined
    }
  }
}

/** Held and delayed messages are among them: nobody counts those apart. */
function estimate(count: number): QueueDepth {
  return { ready: count, leased: 0, delayed: 0, estimated: true }
}
