// Receipts of clouds whose queues obey old ones too, which may take a message from under somebody who holds it now: each says
// until when its lease lasts. What has ended by our clock is lost, and is never sent to the cloud.
import { systemClock } from '../core/clock.ts'
import { type Receipt, receipt } from '../core/ids.ts'
import type { ProviderLimits } from './provider.ts'

const MARGIN_SHARE = 0.1 // of a lease: it began when the cloud answered, which was before we heard it …
const MOST_MARGIN_MS = 500 // … but not longer ago than this
const PRUNE_FROM = 10_000 // renewed leases
const BASE = 36

export interface Lease {
  readonly receipt: Receipt
  readonly handle: string
  readonly receivedAtMs: number
}

export class LeaseBook {
  /** Ends of leases that were renewed or handed back: those of all others are in their receipts. */
  readonly #ends = new Map<Receipt, number>()
  readonly #maxTotalLeaseSeconds: number
  #pruneAt = PRUNE_FROM

  constructor({ maxTotalLeaseSeconds = Number.POSITIVE_INFINITY }: Pick<ProviderLimits, 'maxTotalLeaseSeconds'>) {
    this.#maxTotalLeaseSeconds = maxTotalLeaseSeconds
  }

  /** `<received>:<ends>:<the cloud's handle>`, instants in ms to base 36. */
  grant(handle: string, leaseSeconds: number): Receipt {
    const nowMs = systemClock.now()
    const leaseMs = leaseSeconds * 1000
    const endsMs = nowMs + leaseMs - Math.min(leaseMs * MARGIN_SHARE, MOST_MARGIN_MS)
    return receipt(`${nowMs.toString(BASE)}:${Math.round(endsMs).toString(BASE)}:${handle}`)
  }

  /** Sorts out what is no longer ours, or never was. */
  read(receipts: readonly Receipt[]): { held: Lease[]; lost: Receipt[] } {
    const nowMs = systemClock.now()
    const held: Lease[] = []
    const lost: Receipt[] = []
    for (const text of receipts) {
      const [received = '', ends = '', ...handle] = text.split(':')
      const receivedAtMs = Number.parseInt(received, BASE)
      const endsMs = this.#ends.get(text) ?? Number.parseInt(ends, BASE)
      if (handle.length > 0 && endsMs > nowMs) held.push({ receipt: text, handle: handle.join(':'), receivedAtMs })
      else lost.push(text)
    }
    return { held, lost }
  }

  /** Seconds that a renewal at this moment may ask for; below 1 = the longest that one delivery can be held is over. */
  secondsLeft({ receivedAtMs }: Lease): number {
    return Math.floor(this.#maxTotalLeaseSeconds - (systemClock.now() - receivedAtMs) / 1000)
  }

  setEnd({ receipt }: Lease, endsMs: number): void {
    this.#ends.set(receipt, endsMs)
    if (this.#ends.size > this.#pruneAt) this.#prune()
  }

  /** Its message is gone: nobody will ask for it again. */
  forget({ receipt }: Lease): void {
    this.#ends.delete(receipt)
  }

  /** What has ended, and would also have ended by its receipt, is lost without being remembered. */
  #prune(): void {
    const nowMs = systemClock.now()
    for (const [text, endsMs] of this.#ends) {
      const first = Number.parseInt(text.split(':')[1] ?? '', BASE)
      if (Math.max(first, endsMs) < nowMs) this.#ends.delete(text)
    }
    this.#pruneAt = 2 * this.#ends.size + PRUNE_FROM
  }
}
