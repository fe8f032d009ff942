// Notes, every few seconds, what of a job's course nothing else remembers: how deep its queue is, and which VMs are there.
import type { DatabaseSync } from 'node:sqlite'
import { systemClock } from '../core/clock.ts'
import type { QueueAdmin, QueueDepth } from '../infra/provider.ts'
import { parseTimestamp, renderTimestamp } from './timestamps.ts'

export interface PoolSample {
  readonly vmCount: number
  readonly slotCount: number
  readonly usdPerHour: number
}

export interface SamplerOptions {
  readonly sqlite: DatabaseSync
  readonly taskQueue: { readonly admin: Pick<QueueAdmin, 'depth'> }
  /** undefined where somebody else looks after the VMs. */
  readonly pool: () => PoolSample | undefined
  readonly signal: AbortSignal
}

const LEAST_GAP_MS = 1000
const MOST_GAP_MS = 5000
const GAPS = 200 // the gap grows with the job, so that a job of a minute has a curve too
const WIDEST_GAP_MS = 60_000 // of a job of days: its curve is no wider than a screen
const MOST_ROWS = 4000

/** Until the signal. Never rejects because of the queue: a sample that cannot be taken is left out. */
export async function takeSamples({ sqlite, taskQueue, pool, signal }: SamplerOptions): Promise<void> {
  const log = new SampleLog(sqlite)
  const startedMs = systemClock.now()
  while (!signal.aborted) {
    const elapsedMs = systemClock.now() - startedMs
    await systemClock.sleep(Math.min(MOST_GAP_MS, Math.max(LEAST_GAP_MS, elapsedMs / GAPS)), signal)
    if (signal.aborted) return
    const depth = await taskQueue.admin.depth().catch(() => undefined)
    log.add(new Date(systemClock.now()), depth, pool())
  }
}

export class SampleLog {
  readonly #sqlite: DatabaseSync
  readonly #mostRows: number

  constructor(sqlite: DatabaseSync, { mostRows = MOST_ROWS } = {}) {
    this.#sqlite = sqlite
    this.#mostRows = mostRows
  }

  /** Nothing if the last one is so near that the job, however long, would not need another. */
  add(at: Date, depth: QueueDepth | undefined, pool: PoolSample | undefined): void {
    if (depth === undefined && pool === undefined) return
    const { firstAt, lastAt, count } = this.#stored()
    const gapMs = firstAt === undefined ? 0 : (at.getTime() - firstAt.getTime()) / (this.#mostRows / 2)
    if (lastAt !== undefined && at.getTime() - lastAt.getTime() < Math.min(gapMs, WIDEST_GAP_MS)) return
    if (count >= this.#mostRows) this.#thin()
    this.#sqlite
      .prepare(
        'INSERT INTO samples (at, ready, leased, delayed, vms, slots, usd_per_hour) VALUES (?, ?, ?, ?, ?, ?, ?)',
      )
      .run(
        renderTimestamp(at),
        depth?.ready ?? null,
        depth?.leased ?? null,
        depth?.delayed ?? null,
        pool?.vmCount ?? null,
        pool?.slotCount ?? null,
        pool?.usdPerHour ?? null,
      )
  }

  #stored() {
    const row = this.#sqlite
      .prepare(
        `SELECT (SELECT at FROM samples ORDER BY id LIMIT 1) AS first,
           (SELECT at FROM samples ORDER BY id DESC LIMIT 1) AS last, (SELECT count(*) FROM samples) AS count`,
      )
      .get()
    return { firstAt: parseTimestamp(row?.first), lastAt: parseTimestamp(row?.last), count: Number(row?.count) }
  }

  /** Every other one. */
  #thin(): void {
    this.#sqlite.exec(
      `DELETE FROM samples WHERE id IN
         (SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM samples) WHERE n % 2 = 0)`,
    )
  }
}
