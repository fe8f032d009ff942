// A SQLite file shared by many processes: opening, short write transactions, and errors as sentences. Knows no tables.
//
// WAL with synchronous=NORMAL: a kill -9 of any process at any instant loses nothing that was committed. A crash of the
// operating system or a power cut may lose the last moments, never the file.
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { systemClock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import { failureReason, isBusy } from './sqlite-error.ts'

/** What the file is for. */
export interface SqliteFormat {
  /** Begins every error message, before the path: `Queue file`. */
  readonly title: string
  readonly version: number
  /** Statements that make version `version` in an empty file. */
  readonly schema: string
  /** What somebody with a damaged file should do, as a sentence. */
  readonly ifDamaged: string
}

const BEGIN = 'BEGIN IMMEDIATE'
const COMMIT = 'COMMIT'
const LOCK_WAIT_MS = 30_000 // far longer than any transaction of ours
const SQLITE_WAIT_MS = 4 // SQLite waits by sleeping, which stops the whole process: after this we wait ourselves
const LONGEST_RETRY_MS = 8
const TURN_MS = 10 // transactions are synchronous; signals and timers get their turn at least this often
const CHECK_MOVED_MS = 500
const WAL_PAGES = 4000 // 16 MB between checkpoints
const WAL_LIMIT_BYTES = 64_000_000 // with several writers no checkpoint may ever reach the end; then one is forced
const WRITES_PER_WAL_CHECK = 64

export class SqliteFile {
  readonly path: string
  readonly #format: SqliteFormat
  readonly #lockWaitMs: number
  #db: DatabaseSync | undefined
  #statements = new Map<string, StatementSync>()
  #inode = 0
  #movedCheckAtMs = 0
  #writeCount = 0
  #turnAtMs = performance.now()

  constructor(path: string, format: SqliteFormat, { lockWaitMs = LOCK_WAIT_MS } = {}) {
    this.path = path
    this.#format = format
    this.#lockWaitMs = lockWaitMs
  }

  /** Reads outside of a transaction; undefined if there is no such file. Takes no lock. */
  async read<Result>(work: (file: SqliteFile) => Result): Promise<Result | undefined> {
    return this.#retry(() => (this.#open({ create: false }) ? work(this) : undefined))
  }

  /**
   * Runs `work` in one write transaction; undefined if there is no such file and `create` is false. Everything or nothing
   * of it happens. Waits for other processes without blocking this one; returns undefined when `signal` aborts the wait.
   */
  async write<Result>(
    work: (file: SqliteFile) => Result,
    { create, signal }: { readonly create: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<Result | undefined> {
    const result = await this.#retry(() => (this.#open({ create }) ? this.#transaction(work) : undefined), signal)
    if (++this.#writeCount % WRITES_PER_WAL_CHECK === 0) this.#boundWal()
    return result
  }

  /** A prepared statement that answers rows as arrays. Only inside `read` and `write`. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#opened().prepare(sql)
      statement.setReturnArrays(true)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  exec(sql: string): void {
    this.#opened().exec(sql)
  }

  /** Gives unused space back to the disk, unless somebody is busy with the file. */
  shrink(): void {
    try {
      this.#db?.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)')
    } catch (error) {
      if (!isBusy(error)) throw this.#sentence(error)
    }
  }

  close(): void {
    const db = this.#db
    this.#db = undefined
    this.#statements.clear()
    db?.close()
  }

  async #retry<Result>(attempt: () => Result, signal?: AbortSignal): Promise<Result | undefined> {
    const now = performance.now()
    if (now - this.#turnAtMs > TURN_MS) {
      await nextTurn()
      this.#turnAtMs = performance.now()
    }
    for (;;) {
      if (signal?.aborted) return undefined
      try {
        return attempt()
      } catch (error) {
        if (!isBusy(error) || performance.now() - now > this.#lockWaitMs) throw this.#sentence(error)
      }
      await systemClock.sleep(1 + Math.random() * LONGEST_RETRY_MS, signal)
      this.#turnAtMs = performance.now()
    }
  }

  #transaction<Result>(work: (file: SqliteFile) => Result): Result {
    const db = this.#opened()
    this.prepare(BEGIN).run()
    try {
      const result = work(this)
      this.prepare(COMMIT).run()
      return result
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }

  #opened(): DatabaseSync {
    if (this.#db === undefined) throw new Error(`${this.path} is closed. This is a bug in Cloud Tasks.`)
    return this.#db
  }

  #open({ create }: { readonly create: boolean }): boolean {
    if (this.#db !== undefined && this.#moved()) this.close()
    if (this.#db !== undefined) return true
    if (!create && !existsSync(this.path)) return false
    mkdirSync(dirname(this.path), { recursive: true })
    const db = new DatabaseSync(this.path, { timeout: SQLITE_WAIT_MS })
    try {
      prepareFile(db, this.path, this.#format)
      this.#inode = statSync(this.path).ino
    } catch (error) {
      db.close()
      throw error
    }
    this.#db = db
    this.#movedCheckAtMs = performance.now()
    return true
  }

  /** Somebody deleted the folder under us: what we would write into the nameless file nobody would ever read. */
  #moved(): boolean {
    const now = performance.now()
    if (now - this.#movedCheckAtMs < CHECK_MOVED_MS) return false
    this.#movedCheckAtMs = now
    return statSync(this.path, { throwIfNoEntry: false })?.ino !== this.#inode
  }

  #boundWal(): void {
    const wal = statSync(`${this.path}-wal`, { throwIfNoEntry: false })
    if (wal === undefined || wal.size < WAL_LIMIT_BYTES || this.#db === undefined) return
    this.#db.exec('PRAGMA busy_timeout = 500') // has to catch one instant in which nobody writes
    this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)') // answers busy as a value
    this.#db.exec(`PRAGMA busy_timeout = ${SQLITE_WAIT_MS}`)
  }

  #sentence(error: unknown): unknown {
    const reason = failureReason(error, this.#format.ifDamaged)
    return reason === undefined
      ? error
      : new UserError(`${this.#format.title} ${this.path} ${reason}`, { cause: error })
  }
}

function prepareFile(db: DatabaseSync, path: string, { title, version: known, schema }: SqliteFormat): void {
  const version = db.prepare('PRAGMA user_version').get()?.user_version
  if (typeof version === 'number' && version > known) {
    throw new UserError(
      `${title} ${path} was written by a newer version of Cloud Tasks (format ${version}, this one reads ${known}). Update Cloud Tasks or delete the file.`,
    )
  }
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = ${WAL_PAGES}`)
  db.exec(`PRAGMA journal_size_limit = ${WAL_LIMIT_BYTES}; PRAGMA cache_size = -4000`)
  if (version === known) return
  db.exec(BEGIN)
  try {
    db.exec(schema)
    db.exec(`PRAGMA user_version = ${known}`)
    db.exec(COMMIT)
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}
