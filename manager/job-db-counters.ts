// Running totals, kept in the transaction that changes what they count: a status of 10 million tasks costs a few rows.
import type { DatabaseSync } from 'node:sqlite'
import { type StatusCounts, TASK_STATUSES, type TaskStatus } from './job-db-status.ts'

export class Counters {
  readonly #sqlite: DatabaseSync
  readonly #statuses = new Map<TaskStatus, number>()
  readonly #events = new Map<string, number>()
  #retried = 0

  constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite
  }

  addTasks(status: TaskStatus, change: number): void {
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + change)
  }

  moveTask(from: TaskStatus, to: TaskStatus): void {
    this.addTasks(from, -1)
    this.addTasks(to, 1)
  }

  addEvent(eventType: string): void {
    this.#events.set(eventType, (this.#events.get(eventType) ?? 0) + 1)
  }

  /** An attempt after which another one was wanted; a preemption is none. */
  addRetried(): void {
    this.#retried++
  }

  /** Inside the transaction that made the changes. */
  write(): void {
    for (const [status, change] of this.#statuses) this.#add(`status:${status}`, change)
    for (const [type, change] of this.#events) this.#add(`event:${type}`, change)
    this.#add('retried', this.#retried)
    this.forget()
  }

  /** After a rollback. */
  forget(): void {
    this.#statuses.clear()
    this.#events.clear()
    this.#retried = 0
  }

  #add(name: string, change: number): void {
    if (change === 0) return
    this.#sqlite
      .prepare('INSERT INTO counters VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = value + ?2')
      .run(name, change)
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
