// The tasks of a TaskQueue and how they ended, in one SQLite file that any number of processes share. What is to be done next
// is not here but in the queue beside it; a task is finished when its row says so.
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { UserError } from '../../core/errors.ts'
import { type AttemptEvent, parseEvent } from '../../core/task-event.ts'

export interface TaskRow {
  readonly taskId: string
  /** The message that was sent. */
  readonly body: string
  /** Of the last attempt, if it was the last one. */
  readonly lastEvent: AttemptEvent | undefined
  readonly attempts: number
}

const VERSION = 1
const BUSY_MS = 10_000 // far longer than any transaction here

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS tasks (
    task_id TEXT PRIMARY KEY, body TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, event TEXT) WITHOUT ROWID;
  PRAGMA user_version = ${VERSION};
`

export class TaskTable {
  readonly #db: DatabaseSync
  readonly #insert: StatementSync
  readonly #again: StatementSync
  readonly #finish: StatementSync
  readonly #row: StatementSync

  constructor(path: string) {
    this.#db = open(path)
    this.#insert = this.#db.prepare('INSERT OR IGNORE INTO tasks (task_id, body) VALUES (?, ?)')
    this.#again = this.#db.prepare('UPDATE tasks SET attempts = max(attempts, ?) WHERE task_id = ?')
    // The first end counts: a task that ran twice because a lease was lost keeps the result that somebody may have seen.
    this.#finish = this.#db.prepare(
      'UPDATE tasks SET event = ?, attempts = max(attempts, ?) WHERE task_id = ? AND event IS NULL',
    )
    this.#row = this.#db.prepare('SELECT body, attempts, event FROM tasks WHERE task_id = ?')
  }

  /** Returns the ids that are taken already; nothing is changed for them. */
  add(tasks: readonly { readonly taskId: string; readonly body: string }[]): readonly string[] {
    return this.#transaction(() =>
      tasks.filter(({ taskId, body }) => this.#insert.run(taskId, body).changes === 0).map(({ taskId }) => taskId),
    )
  }

  /** Takes in what agents report. A second report of the same attempt changes nothing. */
  apply(events: readonly string[]): void {
    this.#transaction(() => {
      for (const text of events) {
        const event = parseEvent(text)
        if (event?.kind !== 'attempt') continue
        if (event.retry === true || event.outcome.kind === 'interrupted') this.#again.run(event.attempt, event.taskId)
        else this.#finish.run(text, event.attempt, event.taskId)
      }
    })
  }

  find(taskId: string): TaskRow | undefined {
    const row = this.#row.get(taskId)
    if (row === undefined) return undefined
    const event = typeof row.event === 'string' ? parseEvent(row.event) : undefined
    return {
      taskId,
      body: String(row.body),
      attempts: Number(row.attempts),
      lastEvent: event?.kind === 'attempt' ? event : undefined,
    }
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close()
  }

  #transaction<Value>(work: () => Value): Value {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const value = work()
      this.#db.exec('COMMIT')
      return value
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }
}

function open(path: string): DatabaseSync {
  try {
    const db = new DatabaseSync(path, { timeout: BUSY_MS })
    const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
    if (version > VERSION) {
      db.close()
      throw new UserError(
        `Task file ${path} was written by a newer version of Cloud Tasks. Update it, or name another file.`,
      )
    }
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    if (version < VERSION) db.exec(SCHEMA)
    return db
  } catch (cause) {
    if (cause instanceof UserError || !(cause instanceof Error)) throw cause
    throw new UserError(
      `Task file ${path} cannot be opened: ${cause.message}. Name a file in a folder that is yours.`,
      { cause },
    )
  }
}
