// One unary pull, which may go on after whoever wanted its messages has left: the next one who wants as many takes it over, and
// what comes while nobody is there goes back at once. Cutting it off instead could cost a lease of whatever was on its way.
import { systemClock } from '../../core/clock.ts'
import type { QueueAddress } from './queue-address.ts'
import type { Arrived } from './queue-body.ts'
import { type PubSubConnection, within } from './queue-connection.ts'
import { isMissing, passes } from './queue-request.ts'

const GRACE_MS = 5_000 // Pub/Sub waits until the deadline of a request: a message must not come just when that is over
const DEADLINE_EXCEEDED = 4

export type PullOutcome =
  | { readonly kind: 'messages'; readonly messages: readonly PulledMessage[] }
  | { readonly kind: 'missing' }
  /** `passing`: another attempt may do better. */
  | { readonly kind: 'failed'; readonly passing: boolean; readonly error: unknown }

export interface PulledMessage extends Arrived {
  readonly ackId: string
  /** How often Pub/Sub has handed it out, where it counts. */
  readonly attempt: number
  readonly data: Uint8Array | string
}

export class Pull {
  readonly maxMessages: number
  readonly #done: Promise<PullOutcome>
  readonly #giveBack: (ackIds: readonly string[]) => Promise<unknown>
  readonly #connection: PubSubConnection
  #wanted = true
  #over = false

  constructor(
    { address, connection, giveBack }: PullParts,
    { maxMessages, waitMs }: { readonly maxMessages: number; readonly waitMs: number },
  ) {
    this.maxMessages = maxMessages
    this.#giveBack = giveBack
    this.#connection = connection
    this.#done = pull(address, connection, maxMessages, waitMs).then(async outcome => {
      this.#over = true
      if (!this.#wanted) await this.#return(outcome)
      return outcome
    })
    connection.finish(this.#done)
  }

  /** Nothing that it brings can get lost while it is not over. */
  get over(): boolean {
    return this.#over
  }

  /** undefined: the time is over or the signal aborted. Then somebody else may await it, or nobody. */
  async outcome(waitMs: number, signal: AbortSignal | undefined): Promise<PullOutcome | undefined> {
    this.#wanted = true
    const enough = new AbortController()
    const stop = () => enough.abort()
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { once: true })
    const timeOver = systemClock.sleep(waitMs, enough.signal).then(() => undefined)
    const outcome = await Promise.race([this.#done, timeOver])
    signal?.removeEventListener('abort', stop)
    stop()
    if (outcome === undefined) this.#wanted = false
    // Both at once: the answer was there, and nobody will come for it.
    if (outcome === undefined && this.#over) await this.#return(await this.#done)
    return outcome
  }

  async #return(outcome: PullOutcome): Promise<void> {
    if (outcome.kind !== 'messages' || outcome.messages.length === 0) return
    const returning = this.#giveBack(outcome.messages.map(({ ackId }) => ackId))
    this.#connection.finish(returning)
    await returning
  }
}

export interface PullParts {
  readonly address: QueueAddress
  readonly connection: PubSubConnection
  /** Must not reject. */
  readonly giveBack: (ackIds: readonly string[]) => Promise<unknown>
}

async function pull(
  address: QueueAddress,
  connection: PubSubConnection,
  maxMessages: number,
  waitMs: number,
): Promise<PullOutcome> {
  try {
    const { subscriber } = await connection.clients()
    const subscription = await address.subscription()
    const [answer] = await subscriber.pull({ subscription, maxMessages }, within(waitMs + GRACE_MS))
    const messages = (answer.receivedMessages ?? []).flatMap(({ ackId, deliveryAttempt, message }) => {
      if (!ackId) return []
      return {
        ackId,
        attempt: deliveryAttempt || 1,
        data: message?.data ?? '',
        attributes: message?.attributes ?? undefined,
        publishTime: message?.publishTime ?? undefined,
      }
    })
    return { kind: 'messages', messages }
  } catch (error) {
    if (isMissing(error)) return { kind: 'missing' }
    const waitedInVain = error instanceof Error && 'code' in error && error.code === DEADLINE_EXCEEDED
    if (waitedInVain) return { kind: 'messages', messages: [] }
    return { kind: 'failed', passing: passes(error), error }
  }
}
