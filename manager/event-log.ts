// The events table: appended to in groups, because a statement for each event is half its cost.
import type { DatabaseSync, StatementSync } from 'node:sqlite'

export interface EventRow {
  /** null where an event has none that could be read. */
  readonly timestamp: string | null
  readonly hostname: string | null
  readonly type: string
  readonly taskId: string | null
  readonly raw: string
  /** 0 for an event that is not the end of an attempt. */
  readonly attempt: number
}

const ROWS_PER_INSERT = 50

export class EventLog {
  readonly #insertOne: StatementSync
  readonly #insertMany: StatementSync
  readonly #ofTask: StatementSync
  readonly #withoutTask: StatementSync
  /** Columns of rows that are not in the table yet. */
  #waiting: (string | number | null)[] = []

  constructor(sqlite: DatabaseSync) {
    const insert = 'INSERT INTO events (timestamp, hostname, event_type, task_id, raw_event, attempt) VALUES'
    this.#insertOne = sqlite.prepare(`${insert} ${ROW}`)
    this.#insertMany = sqlite.prepare(`${insert} ${Array(ROWS_PER_INSERT).fill(ROW).join(', ')}`)
    this.#ofTask = sqlite.prepare('SELECT raw_event FROM events WHERE task_id = ?')
    this.#withoutTask = sqlite.prepare('SELECT raw_event FROM events WHERE task_id IS NULL AND timestamp IS ?')
  }

  append({ timestamp, hostname, type, taskId, raw, attempt }: EventRow): void {
    this.#waiting.push(timestamp, hostname, type, taskId, raw, attempt)
    if (this.#waiting.length < ROWS_PER_INSERT * COLUMNS) return
    this.#insertMany.run(...this.#waiting)
    this.#waiting = []
  }

  /** Before the transaction ends. */
  flush(): void {
    for (let at = 0; at < this.#waiting.length; at += COLUMNS) {
      this.#insertOne.run(...this.#waiting.slice(at, at + COLUMNS))
    }
    this.#waiting = []
  }

  /** After a rollback. */
  forget(): void {
    this.#waiting = []
  }

  ofTask(taskId: string): readonly string[] {
    this.flush()
    return this.#ofTask.all(taskId).map(row => String(row.raw_event))
  }

  withoutTask(timestamp: string | null): readonly string[] {
    this.flush()
    return this.#withoutTask.all(timestamp).map(row => String(row.raw_event))
  }
}

const ROW = '(?, ?, ?, ?, ?, ?)'
const COLUMNS = 6
