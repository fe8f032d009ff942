// Remembers launches across a crash: the intent is on disk before the cloud is asked, so a launch is never made twice or forgotten.
import { randomUUID } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { LaunchPlan } from '../infra/provider.ts'

export class LaunchIntents {
  readonly #sqlite: DatabaseSync

  constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite
    sqlite.exec(`
      CREATE TABLE IF NOT EXISTS launch_intents (
        token TEXT PRIMARY KEY, plan TEXT NOT NULL, created_at TEXT NOT NULL
      ) WITHOUT ROWID`)
  }

  /** Durable when it returns. */
  record(plan: Omit<LaunchPlan, 'token'>, at: Date): LaunchPlan {
    const whole = { token: randomUUID(), ...plan }
    this.#sqlite
      .prepare('INSERT INTO launch_intents VALUES (?, ?, ?)')
      .run(whole.token, JSON.stringify(whole), at.toISOString())
    return whole
  }

  /** The cloud has answered: from here on the listing tells. */
  settle(token: string): void {
    this.#sqlite.prepare('DELETE FROM launch_intents WHERE token = ?').run(token)
  }

  /** Launches whose answer never came, of this manager or of one that died. Old ones are dropped: the listing tells by now. */
  unsettled(now: Date): readonly LaunchPlan[] {
    const oldest = new Date(now.getTime() - MEMORY_MS).toISOString()
    this.#sqlite.prepare('DELETE FROM launch_intents WHERE created_at < ?').run(oldest)
    const rows = this.#sqlite.prepare('SELECT plan FROM launch_intents ORDER BY created_at').all()
    return rows.map(row => JSON.parse(String(row.plan)) as LaunchPlan)
  }
}

const MEMORY_MS = 600_000 // clouds list a VM well within ten minutes
