// The job's database open for reading while others write, replace, upgrade or remove it. Owns the connection, knows no tables.
import { statSync } from 'node:fs'
import { UserError } from '../../core/errors.ts'
import { type JobDb, openJobDb } from '../job-db.ts'

const LOCK_WAIT_MS = 2000 // a reader of a WAL database waits for nobody; other databases are locked for moments

export class WatchedDb {
  readonly file: string
  #db: JobDb
  #inode: number
  #schema: number
  #dataVersion = -1
  #columns = new Map<string, ReadonlySet<string>>()
  #trouble: string | undefined

  /** Throws a UserError if there is no job in the file. */
  constructor(file: string) {
    this.file = file
    this.#db = openJobDb(file, { mode: 'readonly', lockWaitMs: LOCK_WAIT_MS })
    this.#inode = inodeOf(file)
    this.#schema = this.#readNumber('PRAGMA user_version')
  }

  get db(): JobDb {
    return this.#db
  }

  /** Why the file cannot be read now; what was read before still stands. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** `replaced`: another database is open now, and nothing of the one before holds. */
  look(): 'same' | 'changed' | 'replaced' {
    try {
      const inode = inodeOf(this.file)
      if (inode !== this.#inode || this.#readNumber('PRAGMA user_version') !== this.#schema) return this.#reopen()
      this.#trouble = undefined
      const version = this.#readNumber('PRAGMA data_version')
      if (version === this.#dataVersion) return 'same'
      this.#dataVersion = version
      return 'changed'
    } catch (error) {
      this.#trouble = sentenceOf(error, this.file)
      return 'same'
    }
  }

  /** Runs `read`; an error of the file is kept as `trouble`, and undefined is the answer. */
  attempt<Result>(read: (db: JobDb) => Result): Result | undefined {
    try {
      return read(this.#db)
    } catch (error) {
      this.#trouble = sentenceOf(error, this.file)
      return undefined
    }
  }

  /** Databases of the Python system lack some tables and columns. */
  has(table: string, column?: string): boolean {
    let columns = this.#columns.get(table)
    if (columns === undefined) {
      const rows = this.#db.sqlite.prepare('SELECT name FROM pragma_table_info(?)').all(table)
      columns = new Set(rows.map(row => String(row.name)))
      this.#columns.set(table, columns)
    }
    return column === undefined ? columns.size > 0 : columns.has(column)
  }

  close(): void {
    this.#db.close()
  }

  #reopen(): 'replaced' {
    const db = openJobDb(this.file, { mode: 'readonly', lockWaitMs: LOCK_WAIT_MS })
    this.#db.close()
    this.#db = db
    this.#inode = inodeOf(this.file)
    this.#schema = this.#readNumber('PRAGMA user_version')
    this.#dataVersion = -1
    this.#columns.clear()
    this.#trouble = undefined
    return 'replaced'
  }

  #readNumber(pragma: string): number {
    return Number(Object.values(this.#db.sqlite.prepare(pragma).get() ?? {})[0])
  }
}

function inodeOf(file: string): number {
  const found = statSync(file, { throwIfNoEntry: false })
  if (found === undefined) {
    throw new UserError(`Job database ${file} is not there any more; what is shown was read before.`)
  }
  return found.ino
}

function sentenceOf(error: unknown, file: string): string {
  if (error instanceof UserError) return error.message
  if (error instanceof Error && 'errcode' in error) return `Job database ${file} cannot be read now: ${error.message}.`
  throw error
}
