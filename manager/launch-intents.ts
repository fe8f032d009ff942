// Remembers launches across a crash: the intent is on disk before the cloud is asked, so a launch is never made twice or forgotten.
import { randomUUID } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { LaunchPlan } from '../infra/provider.ts'

export interface LaunchIntent {
  readonly plan: LaunchPlan
  /** Reserved for each of its VMs; absent without a limit of money. */
  readonly paidSeconds?: number
}

/** A row of the table. */
export interface StoredIntent {
  readonly token: string
  /** A `LaunchPlan` as JSON. */
  readonly plan: string
  readonly createdAt: string
  readonly paidSeconds?: number | undefined
  readonly writtenOffUsd?: number | undefined
}

export class LaunchIntents {
  readonly #sqlite: DatabaseSync

  constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite
  }

  /** Durable when it returns. */
  record(plan: Omit<LaunchPlan, 'token'>, at: Date, paidSeconds: number | undefined): LaunchIntent {
    const whole = { token: randomUUID(), ...plan }
    this.#sqlite
      .prepare('INSERT INTO launch_intents (token, plan, created_at, paid_seconds) VALUES (?, ?, ?, ?)')
      .run(whole.token, JSON.stringify(whole), at.toISOString(), paidSeconds ?? null)
    return { plan: whole, ...(paidSeconds === undefined ? undefined : { paidSeconds }) }
  }

  /** All of them, to be remembered elsewhere. */
  stored(): readonly StoredIntent[] {
    const rows = this.#sqlite.prepare('SELECT * FROM launch_intents ORDER BY token').all()
    return rows.map(row => ({
      token: String(row.token),
      plan: String(row.plan),
      createdAt: String(row.created_at),
      ...(typeof row.paid_seconds === 'number' ? { paidSeconds: row.paid_seconds } : undefined),
      ...(typeof row.written_off === 'number' ? { writtenOffUsd: row.written_off } : undefined),
    }))
  }

  restore(intents: readonly StoredIntent[]): void {
    const insert = this.#sqlite.prepare('INSERT INTO launch_intents VALUES (?, ?, ?, ?, ?)')
    for (const { token, plan, createdAt, paidSeconds, writtenOffUsd } of intents) {
      insert.run(token, plan, createdAt, paidSeconds ?? null, writtenOffUsd ?? null)
    }
  }

  /** The cloud has answered and the VMs are saved: from here on the listing tells. */
  settle(token: string): void {
    this.#sqlite.prepare('DELETE FROM launch_intents WHERE token = ?').run(token)
  }

  /** Launches whose answer never came, of this manager or of one that died. Not the old ones: the listing tells by now. */
  unsettled(now: Date): readonly LaunchIntent[] {
    const oldest = new Date(now.getTime() - MEMORY_MS).toISOString()
    return this.#sqlite
      .prepare(
        'SELECT plan, paid_seconds FROM launch_intents WHERE created_at >= ? AND written_off IS NULL ORDER BY created_at, token',
      )
      .all(oldest)
      .map(row => ({
        plan: JSON.parse(String(row.plan)) as LaunchPlan,
        ...(typeof row.paid_seconds === 'number' ? { paidSeconds: row.paid_seconds } : undefined),
      }))
  }

  /** For how long a VM is paid that was found in a listing, and of whose launch no answer came. */
  paidSecondsOfFound(launchedAt: Date): number | undefined {
    const row = this.#sqlite
      .prepare('SELECT max(paid_seconds) AS paid FROM launch_intents WHERE created_at <= ?')
      .get(launchedAt.toISOString())
    return typeof row?.paid === 'number' ? row.paid : undefined
  }

  /**
   * The VMs of a whole listing are saved. What an unanswered launch has made is among them, unless its VMs may have ended
   * so long ago that they are not listed any more: then all that was reserved for them counts as spent.
   */
  forgetOld(now: Date): void {
    const agoIso = (ms: number) => new Date(now.getTime() - ms).toISOString()
    const unseen = this.#sqlite
      .prepare('SELECT token, plan, paid_seconds FROM launch_intents WHERE created_at < ? AND written_off IS NULL')
      .all(agoIso(LISTED_MS))
    const writeOff = this.#sqlite.prepare('UPDATE launch_intents SET written_off = ? WHERE token = ?')
    for (const { token, plan, paid_seconds: paidSeconds } of unseen) {
      if (typeof paidSeconds !== 'number') continue
      writeOff.run(worstCaseUsd(JSON.parse(String(plan)) as LaunchPlan, paidSeconds), String(token))
    }
    this.#sqlite
      .prepare('DELETE FROM launch_intents WHERE created_at < ? AND written_off IS NULL')
      .run(agoIso(MEMORY_MS))
  }

  /** The job is done and its VMs are ended: whatever came of its launches is of no consequence any more. */
  forgetUnanswered(): void {
    this.#sqlite.exec('DELETE FROM launch_intents WHERE written_off IS NULL')
  }

  writtenOffUsd(): number {
    return Number(this.#sqlite.prepare('SELECT total(written_off) AS usd FROM launch_intents').get()?.usd)
  }
}

function worstCaseUsd({ vmCount, choices }: LaunchPlan, paidSeconds: number): number {
  const dearest = Math.max(0, ...choices.map(({ offer }) => offer.priceUsdPerHour))
  return (vmCount * dearest * paidSeconds) / 3600
}

const LISTED_MS = 3_000_000 // a VM that ended is listed for an hour; ten minutes of it are left for clocks that differ
const MEMORY_MS = 600_000 // clouds list a VM well within ten minutes
