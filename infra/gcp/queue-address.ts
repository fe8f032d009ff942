// Where a queue is on Pub/Sub: a topic and its one subscription, how they are made when they are not there, and what is known
// of those that are.
import { systemClock } from '../../core/clock.ts'
import { PUBSUB_LEAST_LEASE_SECONDS, PUBSUB_MAX_HOLD_SECONDS, PUBSUB_RETENTION_SECONDS } from './limits.ts'
import { subscriptionPath, topicPath } from './names.ts'
import type { PubSubConnection } from './queue-connection.ts'
import { isDenied, isMissing, isThereAlready, persist } from './queue-request.ts'

// Pub/Sub tells everywhere of a new topic or subscription only little by little.
const SETTLE_MS = 2_000
const LOOK_MS = 500
const VISIBLE_WITHIN_MS = 30_000
const DELETED_TOPIC = '_deleted-topic_' // what a subscription names when its topic is gone

export interface SubscriptionFacts {
  /** How long a message is held after a pull; undefined where we may not look. */
  readonly leaseSeconds: number | undefined
  /** Pub/Sub counts deliveries, and moves to a topic of its own what has been delivered too often. */
  readonly deadLettered: boolean
}

const UNKNOWN: SubscriptionFacts = { leaseSeconds: undefined, deadLettered: true }

export class QueueAddress {
  readonly name: string
  readonly #connection: PubSubConnection
  readonly #leaseSeconds: number
  #facts: Promise<SubscriptionFacts | undefined> | undefined
  #making: Promise<void> | undefined

  constructor(name: string, connection: PubSubConnection, leaseSeconds: number) {
    this.name = name
    this.#connection = connection
    this.#leaseSeconds = leaseSeconds
  }

  async topic(): Promise<string> {
    return topicPath((await this.#connection.clients()).projectId, this.name)
  }

  async subscription(): Promise<string> {
    return subscriptionPath((await this.#connection.clients()).projectId, this.name)
  }

  /** Asked for once. undefined: there is no such queue. */
  async facts(): Promise<SubscriptionFacts | undefined> {
    this.#facts ??= this.look()
    try {
      const facts = await this.#facts
      if (facts === undefined) this.forget()
      return facts
    } catch (error) {
      this.forget()
      throw error
    }
  }

  /** Asks each time. */
  async look(): Promise<SubscriptionFacts | undefined> {
    try {
      const { leaseSeconds, deadLettered, topic } = await this.#subscription()
      return topic === DELETED_TOPIC ? undefined : { leaseSeconds, deadLettered }
    } catch (error) {
      if (isMissing(error)) return undefined
      if (isDenied(error)) return UNKNOWN
      throw error
    }
  }

  /** The queue is gone, or was made anew. */
  forget(): void {
    this.#facts = undefined
  }

  /**
   * Before anything is published: what goes to a topic without a subscription is lost, and Pub/Sub does not complain. There is
   * one when whoever made the topic died before the subscription, or removed the subscription only.
   */
  async ready(): Promise<void> {
    if ((await this.facts()) === undefined) await this.make()
  }

  /** Makes what is missing; what is there keeps its settings, whoever made it. */
  make(): Promise<void> {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined
      this.forget()
    })
    return this.#making
  }

  /** Topic first, as a subscription needs one. Killed in between, the next one who makes or sends makes the rest. */
  async #make(): Promise<void> {
    const name = await this.topic()
    const { publisher } = await this.#connection.clients()
    await this.#create(() => publisher.createTopic({ name }, this.#connection.once()))
    const giveUpMs = systemClock.now() + VISIBLE_WITHIN_MS
    for (;;) {
      try {
        if (await this.#createSubscription(name)) break
        if ((await this.look()) !== undefined) return
        await this.#removeOrphan()
      } catch (error) {
        if (!isMissing(error) || systemClock.now() > giveUpMs) throw error // the topic is not seen everywhere yet
      }
      await systemClock.sleep(LOOK_MS)
    }
    if (!this.#connection.emulated) await systemClock.sleep(SETTLE_MS)
  }

  async #createSubscription(topic: string): Promise<boolean> {
    const name = await this.subscription()
    const { subscriber } = await this.#connection.clients()
    return this.#create(() =>
      subscriber.createSubscription(
        {
          name,
          topic,
          ackDeadlineSeconds: this.#leaseSeconds,
          messageRetentionDuration: { seconds: PUBSUB_RETENTION_SECONDS },
          enableExactlyOnceDelivery: this.#connection.gcp.settings.exactlyOnceQueue ?? false,
          expirationPolicy: {}, // never: a job may rest for months
        },
        this.#connection.once(),
      ),
    )
  }

  /** False: it was there before, or somebody else may make such things and we may not. */
  async #create(request: () => Promise<unknown>): Promise<boolean> {
    try {
      await persist(request)
      return true
    } catch (error) {
      if (isThereAlready(error)) return false
      if (isDenied(error) && (await this.#surelyThere())) return false
      throw error
    }
  }

  async #surelyThere(): Promise<boolean> {
    const facts = await this.look().catch(() => undefined)
    return facts !== undefined && facts !== UNKNOWN
  }

  /** Of a topic that was removed: it will never get a message again. */
  async #removeOrphan(): Promise<void> {
    const { topic, name } = await this.#subscription()
    if (topic !== DELETED_TOPIC) return
    const { subscriber } = await this.#connection.clients()
    await persist(() => subscriber.deleteSubscription({ subscription: name }, this.#connection.once()))
  }

  async #subscription() {
    const name = await this.subscription()
    const { subscriber } = await this.#connection.clients()
    const [{ topic, ackDeadlineSeconds, deadLetterPolicy }] = await persist(() =>
      subscriber.getSubscription({ subscription: name }, this.#connection.once()),
    )
    const leaseSeconds = ackDeadlineSeconds || undefined
    return { name, topic, leaseSeconds, deadLettered: Boolean(deadLetterPolicy?.deadLetterTopic) }
  }
}

/** As Pub/Sub counts. */
export function wholeLeaseSeconds(leaseSeconds: number): number {
  return Math.ceil(Math.min(PUBSUB_MAX_HOLD_SECONDS, Math.max(PUBSUB_LEAST_LEASE_SECONDS, leaseSeconds)))
}
