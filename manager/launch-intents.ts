// Remembers launches across a crash: the intent is on disk before the cloud is asked, so a launch is never made twice or forgotten.
import { randomUUID } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { LaunchPlan } from '../infra/provider.ts'

export interface LaunchIntent {
  readonly plan: LaunchPlan
  /** Reserved for each of its VMs; absent without a limit of money. */
  readonly paidSeconds?: number
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

  /** The cloud has answered and the VMs are saved: from here on the listing tells. */
  settle(token: string): void {
    this.#sqlite.prepare('DELETE FROM launch_intents WHERE token = ?').run(token)
  }

  /** Launches whose answer never came, of this manager or of one that died. Old ones are dropped: the listing tells by now. */
  unsettled(now: Date): readonly LaunchIntent[] {
    const oldest = new Date(now.getTime() - MEMORY_MS).toISOString()
    this.#sqlite.prepare('DELETE FROM launch_intents WHERE created_at < ?').run(oldest)
    const rows = this.#sqlite.prepare('SELECT plan, paid_seconds FROM launch_intents ORDER BY created_at, token').all()
    return rows.map(row => ({
      plan: JSON.parse(String(row.plan)) as LaunchPlan,
      ...(typeof row.paid_seconds === 'number' ? { paidSeconds: row.paid_seconds } : undefined),
    }))
  }
}

const MEMORY_MS = 600_000 // clouds list a VM well within ten minutes
