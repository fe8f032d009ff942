// Opens the SQLite file of a job and brings it to this version's schema; says in one sentence what is in the way.
import { accessSync, constants, existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { codeOf, messageOf, UserError } from '../core/errors.ts'
import { MIGRATIONS } from './migrations.ts'

export type JobDbMode =
  /** Makes the file; there must be none. */
  | 'create'
  /** Opens what is there, also a DB of the Python system, and brings its schema up to date. */
  | 'existing'
  /** Changes nothing in the tables. */
  | 'readonly'

const CACHE_KIB = 4_000 // more helps neither in file order nor, with millions of tasks, out of it

export function openSqlite(
  file: string,
  { mode, lockWaitMs }: { readonly mode: JobDbMode; readonly lockWaitMs: number },
): DatabaseSync {
  const there = existsSync(file)
  if (mode === 'create' && there) {
    throw new UserError(`Job database ${file} exists already. Continue it, or choose another name with --db-file.`)
  }
  if (mode !== 'create' && !there) {
    throw new UserError(`Job database ${file} does not exist. Load tasks first, or name the right file with --db-file.`)
  }
  let sqlite: DatabaseSync | undefined
  try {
    sqlite = new DatabaseSync(mode === 'readonly' ? readableLocation(file) : file, {
      readOnly: mode === 'readonly',
      timeout: lockWaitMs,
    })
    prepareSqlite(sqlite, file, mode)
    return sqlite
  } catch (error) {
    sqlite?.close()
    throw describeSqliteError(error, file)
  }
}

/**
 * Even a reader of a WAL database writes: it makes the `-shm` file. Where the folder is read-only (an archive, somebody
 * else's job) nobody can be writing either, so the file is read as it stands; unless a WAL is left that it needs.
 */
function readableLocation(file: string): string | URL {
  if (folderWritable(file) || existsSync(`${file}-wal`)) return file
  const url = pathToFileURL(resolve(file))
  url.searchParams.set('immutable', '1')
  return url
}

function folderWritable(file: string): boolean {
  try {
    accessSync(dirname(resolve(file)), constants.W_OK)
    return true
  } catch (error) {
    if (codeOf(error) === 'EROFS' || codeOf(error) === 'EACCES') return false
    throw error
  }
}

function prepareSqlite(sqlite: DatabaseSync, file: string, mode: JobDbMode): void {
  const version = readVersion(sqlite)
  if (version > MIGRATIONS.length) {
    throw new UserError(
      `Job database ${file} was written by a newer version of Cloud Tasks (schema ${version}, this one knows ${MIGRATIONS.length}). Update Cloud Tasks.`,
    )
  }
  sqlite.exec(`PRAGMA cache_size = -${CACHE_KIB}`)
  if (mode === 'readonly') {
    if (!hasTable(sqlite, 'tasks')) throw notAJob(file)
    return
  }
  if (mode === 'existing' && !hasTable(sqlite, 'tasks')) throw notAJob(file)
  // WAL with NORMAL: no committed transaction is lost when a process is killed; a power cut may lose the last moments.
  sqlite.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000')
  migrate(sqlite)
}

function migrate(sqlite: DatabaseSync): void {
  if (readVersion(sqlite) === MIGRATIONS.length) return
  sqlite.exec('BEGIN IMMEDIATE') // then look again: another process may have done it meanwhile
  for (let version = readVersion(sqlite); version < MIGRATIONS.length; version++) {
    MIGRATIONS[version]?.(sqlite)
    sqlite.exec(`PRAGMA user_version = ${version + 1}`)
  }
  sqlite.exec('COMMIT')
}

function readVersion(sqlite: DatabaseSync): number {
  return Number(sqlite.prepare('PRAGMA user_version').get()?.user_version)
}

export function hasTable(sqlite: DatabaseSync, name: string): boolean {
  return sqlite.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?`).get(name) !== undefined
}

function notAJob(file: string): UserError {
  return new UserError(`${file} is a SQLite database, but not one of a job: it has no table "tasks".`)
}

/** SQLite's error as one sentence that names the file; anything else unchanged. */
export function describeSqliteError(error: unknown, file: string): unknown {
  if (codeOf(error) !== 'ERR_SQLITE_ERROR') return error
  const code = resultCode(error)
  const readOnly = code === CANNOT_OPEN && existsSync(file) && !folderWritable(file)
  const sentence = sentenceOf(readOnly ? READ_ONLY : code, file)
  return new UserError(sentence ?? `Job database ${file}: ${messageOf(error)}.`, { cause: error })
}

function resultCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0
}

const READ_ONLY = 8
const CANNOT_OPEN = 14

/** https://www.sqlite.org/rescode.html */
function sentenceOf(code: number, file: string): string | undefined {
  switch (code) {
    case 5:
    case 6:
      return `Job database ${file} is locked by another process. End it, or wait and try again.`
    case READ_ONLY:
      return `Job database ${file} is read-only for this user. Make it and its folder writable, or copy it.`
    case 10:
      return `Job database ${file} cannot be read or written: the disk reports an error, or the file was removed.`
    case 11:
      return `Job database ${file} is damaged. Restore it from a copy, or load the tasks anew.`
    case 13:
      return `Job database ${file} cannot grow: the disk is full. Free some space and continue.`
    case CANNOT_OPEN:
      return `Job database ${file} cannot be opened: its folder does not exist or may not be used.`
    case 26:
      return `${file} is not a SQLite database. Name the right file with --db-file.`
    default:
      return undefined
  }
}
