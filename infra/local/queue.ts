// The queue seam on one SQLite file. Correct whichever process dies at whatever line: every step is one transaction, and a
// lease that nobody renews ends by itself.
import { join } from 'node:path'
import { systemClock } from '../../core/clock.ts'
import type { Receipt } from '../../core/ids.ts'
import {
  type Delivery,
  type OutgoingMessage,
  type Queue,
  type QueueAdmin,
  type ReceiveOptions,
  SendError,
  type Settlement,
} from '../provider.ts'
import { type LeaseRun, parseReceipts, runsOf, singleRuns } from './lease-run.ts'
import { LOCAL_LIMITS } from './limits.ts'
import { add, insert, readState, takeFront } from './message-store.ts'
import { LocalQueueAdmin } from './queue-admin.ts'
import { SQL } from './queue-schema.ts'
import { sortOut } from './sendable.ts'
import type { SqliteFile } from './sqlite-file.ts'

// A queue without messages is looked at with one read of one row and no lock: soon at first, then at one percent of a core.
const FIRST_POLL_MS = 4
const LONGEST_POLL_MS = 32
const POLL_GROWTH = 1.3
const MESSAGES_PER_TRANSACTION = 5_000 // about 5 ms, so that others get the write lock in between
const CHARACTERS_PER_TRANSACTION = 16_000_000

export function queueFilePath(root: string, name: string): string {
  return join(root, 'queues', `${encodeURIComponent(name)}.sqlite`)
}

export class LocalQueue implements Queue {
  readonly name: string
  readonly admin: QueueAdmin
  readonly #file: SqliteFile
  readonly #leaseMs: number

  constructor(name: string, file: SqliteFile, leaseSeconds: number) {
    this.name = name
    this.#file = file
    this.#leaseMs = Math.round(Math.min(leaseSeconds, LOCAL_LIMITS.maxLeaseSeconds) * 1000)
    this.admin = new LocalQueueAdmin(file)
  }

  async send(messages: readonly OutgoingMessage[]): Promise<void> {
    const { good, bad } = sortOut(messages)
    for (let start = 0; start < good.length; ) {
      const chunk = nextChunk(messages, good, start)
      try {
        await this.#file.write(file => insert(file, messages, chunk), { create: true })
      } catch (cause) {
        // Transactions before this one are committed, this one is not, those after it were not tried.
        const unsent = [...bad.map(([index]) => index), ...good.slice(start)].sort((a, b) => a - b)
        const why = cause instanceof Error ? cause.message : String(cause)
        throw new SendError(`${unsent.length} of ${messages.length} messages were not sent: ${why}`, { unsent, cause })
      }
      start += chunk.length
    }
    const [first] = bad
    if (first === undefined) return
    const also = bad.length === 1 ? '' : ` (and ${bad.length - 1} more)`
    throw new SendError(`Message ${first[0]}${also} for queue "${this.name}" was not sent: ${first[1]}`, {
      unsent: bad.map(([index]) => index),
    })
  }

  async receive({ maxMessages, waitSeconds, signal }: ReceiveOptions): Promise<readonly Delivery[]> {
    const deadlineMs = systemClock.now() + waitSeconds * 1000
    const limit = Math.min(Math.floor(maxMessages), LOCAL_LIMITS.maxBatch)
    for (let pollMs = FIRST_POLL_MS; !signal?.aborted && limit > 0; pollMs *= POLL_GROWTH) {
      const deliveries = await this.#take(limit, signal)
      if (deliveries.length > 0) return deliveries
      const leftMs = deadlineMs - systemClock.now()
      if (leftMs <= 0) break
      await systemClock.sleep(Math.min(pollMs, LONGEST_POLL_MS, leftMs), signal)
    }
    return []
  }

  async renew(receipts: readonly Receipt[]): Promise<Settlement> {
    return this.#settle(
      receipts,
      (file, run, nowMs) => file.prepare(SQL.renew).run(nowMs + this.#leaseMs, run.first, run.last, run.token, nowMs),
      // This handle's lease may be shorter than the one that it replaces.
      (file, _count, nowMs) => add(file, { checkAtMs: nowMs + this.#leaseMs }),
    )
  }

  async ack(receipts: readonly Receipt[]): Promise<Settlement> {
    return this.#settle(
      receipts,
      (file, run, nowMs) => file.prepare(SQL.ack).run(run.first, run.last, run.token, nowMs),
      (file, count) => add(file, { leased: -count }),
    )
  }

  async release(receipts: readonly Receipt[], delaySeconds: number): Promise<Settlement> {
    const delayMs = Math.round(Math.min(delaySeconds, LOCAL_LIMITS.maxDelaySeconds) * 1000)
    return this.#settle(
      receipts,
      (file, { first, last, token }, nowMs) => {
        if (delayMs > 0) file.prepare(SQL.releaseLater).run(nowMs + delayMs, first, last, token, nowMs)
        else file.prepare(SQL.releaseNow).run(first, last, token, nowMs)
        return file.prepare(SQL.ack).run(first, last, token, nowMs)
      },
      (file, count, nowMs) => {
        if (delayMs > 0) add(file, { leased: -count, delayed: count, checkAtMs: nowMs + delayMs })
        else add(file, { leased: -count, ready: count })
      },
    )
  }

  async #take(limit: number, signal: AbortSignal | undefined): Promise<readonly Delivery[]> {
    const worthIt = await this.#file.read(file => {
      const state = readState(file)
      return !state.removed && (state.ready > 0 || state.nextCheckMs <= systemClock.now())
    })
    if (!worthIt) return []
    const taken = await this.#file.write(file => takeFront(file, limit, this.#leaseMs), { create: false, signal })
    return taken ?? []
  }

  /**
   * Applies a statement to each run of neighbours, then accounts for all. If one receipt of a run is lost, everything is
   * rolled back and each receipt goes alone, to learn which.
   */
  async #settle(receipts: readonly Receipt[], apply: Apply, account?: Account): Promise<Settlement> {
    const { leases, malformed } = parseReceipts(receipts)
    if (leases.length === 0) return { lost: malformed }
    try {
      const settled = await this.#file.write(
        file => {
          const nowMs = systemClock.now()
          for (const run of runsOf(leases))
            if (apply(file, run, nowMs).changes < run.receipts.length) throw new SomeLost()
          account?.(file, leases.length, nowMs)
          return true
        },
        { create: false },
      )
      return { lost: settled ? malformed : receipts }
    } catch (error) {
      if (!(error instanceof SomeLost)) throw error
    }
    const lost = await this.#file.write(
      file => {
        const nowMs = systemClock.now()
        const runs = singleRuns(leases).filter(run => apply(file, run, nowMs).changes === 0)
        account?.(file, leases.length - runs.length, nowMs)
        return runs.flatMap(run => run.receipts)
      },
      { create: false },
    )
    return { lost: lost === undefined ? receipts : [...malformed, ...lost] }
  }
}

/** Answers how many leases of the run were still ours. */
type Apply = (file: SqliteFile, run: LeaseRun, nowMs: number) => { readonly changes: number | bigint }
type Account = (file: SqliteFile, leaseCount: number, nowMs: number) => void

class SomeLost extends Error {}

function nextChunk(messages: readonly OutgoingMessage[], good: readonly number[], start: number): readonly number[] {
  let end = start
  let characters = 0
  while (end < good.length && end - start < MESSAGES_PER_TRANSACTION && characters < CHARACTERS_PER_TRANSACTION) {
    characters += messages[good[end] ?? 0]?.body.length ?? 0
    end++
  }
  return good.slice(start, end)
}
