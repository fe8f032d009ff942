// Running totals, kept in the transaction that changes what they count: a status of 10 million tasks costs a few rows.
import type { DatabaseSync } from 'node:sqlite'
import { type StatusCounts, TASK_STATUSES, type TaskStatus } from './job-db-status.ts'

/** `retried`: attempts after which another one was wanted, preemptions not counted. */
type CounterName = `status:${string}` | `event:${string}` | 'retried'

export class Counters {
  readonly #sqlite: DatabaseSync
  readonly #changes = new Map<CounterName, number>()

  constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite
  }

  add(name: CounterName, change: number): void {
    this.#changes.set(name, (this.#changes.get(name) ?? 0) + change)
  }

  move(from: TaskStatus, to: TaskStatus): void {
    this.add(`status:${from}`, -1)
    this.add(`status:${to}`, 1)
  }

  /** Inside the transaction that made the changes. */
  write(): void {
    const upsert = this.#sqlite.prepare(
      'INSERT INTO counters VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = value + ?2',
    )
    for (const [name, change] of this.#changes) if (change !== 0) upsert.run(name, change)
    this.forget()
  }

  /** After a rollback. */
  forget(): void {
    this.#changes.clear()
  }
}

export function readStatusCounts(sqlite: DatabaseSync, versioned: boolean): StatusCounts {
  const rows = versioned
    ? sqlite.prepare(`SELECT substr(name, 8) AS status, value FROM counters WHERE name GLOB 'status:*'`).all()
    : sqlite.prepare('SELECT status, count(*) AS value FROM tasks GROUP BY status').all()
  const found = new Map(rows.map(row => [row.status, Number(row.value)]))
  const count = (status: TaskStatus) => found.get(status) ?? 0
  return Object.fromEntries(TASK_STATUSES.map(status => [status, count(status)])) as StatusCounts
}

/** How many events of each type are stored. */
export function readEventCounts(sqlite: DatabaseSync, versioned: boolean): ReadonlyMap<string, number> {
  const rows = versioned
    ? sqlite.prepare(`SELECT substr(name, 7) AS type, value FROM counters WHERE name GLOB 'event:*'`).all()
    : sqlite.prepare('SELECT event_type AS type, count(*) AS value FROM events GROUP BY event_type').all()
  return new Map(rows.map(row => [String(row.type), Number(row.value)]))
}

export function readRetriedCount(sqlite: DatabaseSync): number {
  return Number(sqlite.prepare(`SELECT value FROM counters WHERE name = 'retried'`).get()?.value ?? 0)
}
