// Receives from a subscription by unary pulls. Messages that are too early are held back here, and what is handed out gets the
// lease of this job, whatever the subscription itself was made with.
import { systemClock } from '../../core/clock.ts'
import type { Receipt } from '../../core/ids.ts'
import type { Delivery, ReceiveOptions } from '../provider.ts'
import { GCP_LIMITS, PUBSUB_LEAST_LEASE_SECONDS } from './limits.ts'
import type { QueueAddress } from './queue-address.ts'
import { deliveryCount, earlySeconds } from './queue-body.ts'
import type { PubSubConnection } from './queue-connection.ts'
import { Pull, type PulledMessage, type PullOutcome } from './queue-pull.ts'
import { jittered, passes } from './queue-request.ts'
import type { QueueSettler } from './queue-settle.ts'

const LEAST_WAIT_MS = 1_000 // "what is ready now" takes Pub/Sub a moment to find
const FIRST_WAIT_MS = 5_000 // to load the SDK, get a token and connect, which is no waiting for messages
const EMPTY_PAUSE_MS = 200 // before the next look at a queue that answered at once that there is nothing
const FAILED_PAUSE_MS = 100
const TRIES = 6
// Each different time to hold back is a request of its own, so times are rounded up by up to this share.
const HOLD_STEP = 0.05

interface ReceiverParts {
  readonly address: QueueAddress
  readonly connection: PubSubConnection
  readonly settler: QueueSettler
  readonly leaseSeconds: number
  /** Must not reject. */
  readonly giveBack: (receipts: readonly Receipt[]) => Promise<unknown>
}

export class QueueReceiver {
  readonly #parts: ReceiverParts
  /** Pulls whose receive is over, for the next one. */
  #left: Pull[] = []
  #connected = false

  constructor(parts: ReceiverParts) {
    this.#parts = parts
  }

  async receive({ maxMessages, waitSeconds, signal }: ReceiveOptions): Promise<readonly Delivery[]> {
    const wanted = Math.min(Math.floor(maxMessages), GCP_LIMITS.maxBatch)
    if (wanted > 0) await this.#connect(signal)
    const endMs = systemClock.now() + Math.max(waitSeconds * 1000, LEAST_WAIT_MS)
    for (let failures = 0; wanted > 0 && !signal?.aborted; ) {
      const leftMs = Math.max(0, endMs - systemClock.now())
      const pull = this.#takePull(wanted, leftMs)
      const outcome = await pull.outcome(leftMs, signal)
      if (outcome === undefined) {
        this.#left.push(pull)
        return []
      }
      const deliveries = await this.#deliveries(outcome)
      if (signal?.aborted) this.#giveBack(deliveries)
      else if (deliveries.length > 0) return deliveries
      failures = outcome.kind === 'failed' ? failures + 1 : 0
      if (outcome.kind === 'failed' && (!outcome.passing || failures === TRIES)) throw this.#failure(outcome.error)
      if (outcome.kind !== 'failed' && systemClock.now() >= endMs) return []
      const pauseMs = failures > 0 ? jittered(FAILED_PAUSE_MS * 2 ** failures) : EMPTY_PAUSE_MS
      await systemClock.sleep(pauseMs, signal)
    }
    return []
  }

  /** So that the first receive does not end before its pull has begun, and what cannot work is told however short the wait. */
  async #connect(signal: AbortSignal | undefined): Promise<void> {
    if (this.#connected || signal?.aborted) return
    let failure: unknown
    const enough = new AbortController()
    const stop = () => enough.abort()
    signal?.addEventListener('abort', stop, { once: true })
    const looking = this.#parts.address.facts().catch((error: unknown) => {
      failure = error
    })
    this.#parts.connection.finish(looking.then(stop))
    await systemClock.sleep(FIRST_WAIT_MS, enough.signal)
    signal?.removeEventListener('abort', stop)
    if (failure !== undefined && !passes(failure)) throw this.#failure(failure)
    this.#connected = true
  }

  #takePull(wanted: number, waitMs: number): Pull {
    this.#left = this.#left.filter(pull => !pull.over)
    const index = this.#left.findIndex(({ maxMessages }) => maxMessages <= wanted)
    const [left] = index === -1 ? [] : this.#left.splice(index, 1)
    if (left !== undefined) return left
    const { address, connection, settler } = this.#parts
    const giveBack = (ackIds: readonly string[]) => settler.hold(ackIds, 0).catch(() => undefined)
    return new Pull({ address, connection, giveBack }, { maxMessages: wanted, waitMs })
  }

  async #deliveries(outcome: PullOutcome): Promise<readonly Delivery[]> {
    if (outcome.kind === 'missing') this.#parts.address.forget()
    if (outcome.kind !== 'messages') return []
    const due: PulledMessage[] = []
    const early: (readonly [PulledMessage, number])[] = []
    const nowMs = systemClock.now()
    for (const message of outcome.messages) {
      const seconds = earlySeconds(message, nowMs)
      if (seconds > 0) early.push([message, seconds])
      else due.push(message)
    }
    if (early.length > 0) this.#parts.connection.finish(this.#holdBack(early))
    return due.length === 0 ? [] : this.#lease(due)
  }

  /** What cannot be held back comes again when its lease ends, and is held back then. */
  async #holdBack(early: readonly (readonly [PulledMessage, number])[]): Promise<void> {
    const { settler } = this.#parts
    const bySeconds = Map.groupBy(early, ([, seconds]) => roundedUp(seconds))
    const held = [...bySeconds].map(([seconds, messages]) => {
      const ackIds = messages.map(([{ ackId }]) => ackId)
      return settler.hold(ackIds, seconds).catch(() => undefined)
    })
    await Promise.all(held)
  }

  async #lease(messages: readonly PulledMessage[]): Promise<readonly Delivery[]> {
    const { address, connection, settler, leaseSeconds } = this.#parts
    const given = await address.facts().then(
      facts => facts?.leaseSeconds,
      () => undefined,
    )
    let granted = leaseSeconds
    let lost: ReadonlySet<string> = new Set()
    if (given !== leaseSeconds) {
      try {
        const ackIds = messages.map(({ ackId }) => ackId)
        lost = await settler.hold(ackIds, leaseSeconds)
      } catch {
        granted = Math.min(leaseSeconds, given ?? PUBSUB_LEAST_LEASE_SECONDS) // they are ours for so long all the same
      }
    }
    return messages.flatMap(message => {
      const { ackId, attempt, data } = message
      if (lost.has(ackId)) return []
      const body = typeof data === 'string' ? data : Buffer.from(data.buffer, data.byteOffset, data.length).toString()
      const receipt = connection.leases.grant(ackId, granted)
      return [{ body, receipt, deliveryCount: deliveryCount(attempt, message) }]
    })
  }

  /** Nobody holds it, so others should not wait for its lease to end. */
  #giveBack(deliveries: readonly Delivery[]): void {
    if (deliveries.length === 0) return
    const { connection, giveBack } = this.#parts
    connection.finish(giveBack(deliveries.map(({ receipt }) => receipt)))
  }

  #failure(error: unknown): Error {
    const { address, connection } = this.#parts
    return connection.failure(error, `receiving from queue "${address.name}"`)
  }
}

/** In whole seconds; long times in steps. */
function roundedUp(seconds: number): number {
  const step = Math.max(1, Math.floor(seconds * HOLD_STEP))
  return Math.min(GCP_LIMITS.maxDelaySeconds, Math.ceil(seconds / step) * step)
}
