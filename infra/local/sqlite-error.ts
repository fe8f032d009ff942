// What went wrong with a SQLite file, as the rest of a sentence that begins with its name.

// https://www.sqlite.org/rescode.html
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const NOTADB = 26

/** undefined: not an error of SQLite or of the file system. */
export function failureReason(error: unknown, ifDamaged: string): string | undefined {
  return sqliteReason(error, ifDamaged) ?? systemReason(error)
}

/** Extended codes carry the primary one in the low byte. */
function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined
  return error.errcode & 0xff
}

export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  return code === BUSY || code === LOCKED
}

function sqliteReason(error: unknown, ifDamaged: string): string | undefined {
  switch (sqliteCode(error)) {
    case undefined:
      return undefined
    case BUSY:
    case LOCKED:
      return 'stayed locked too long. End the program that has it open.'
    case READONLY:
      return 'is read-only. Make it and its folder writable, or choose another folder with "local.root".'
    case IOERR:
      return 'cannot be read or written. Check the disk (full, a quota, a file size limit, broken).'
    case CORRUPT:
    case NOTADB:
      return `is damaged or something else. ${ifDamaged}`
    case FULL:
      return 'cannot grow: the disk is full. Free some space; nothing that was accepted is lost.'
    case CANTOPEN:
      return 'cannot be opened. Check that its folder exists and is yours to write.'
    default:
      return `failed: ${error instanceof Error ? error.message : String(error)}.`
  }
}

/** Of the folder: ENOTDIR, EACCES, ENOSPC … */
function systemReason(error: unknown): string | undefined {
  const systemError = error instanceof Error && 'syscall' in error
  return systemError ? `cannot be opened: ${error.message}. Choose another folder with "local.root".` : undefined
}
