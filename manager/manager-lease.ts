// Lets one manager at a time look after a job: a row in the job DB that names it. A second one is told who holds the job.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { DatabaseSync } from 'node:sqlite'
import { codeOf, UserError } from '../core/errors.ts'
import { hasTable } from './job-db-open.ts'

const LEASE_MS = 300_000 // of a manager on another machine that died; on this one its death is seen at once
const RENEW_MS = 60_000

/** Held from construction until it is disposed. */
export class ManagerLease implements Disposable {
  readonly #sqlite: DatabaseSync
  readonly #holder = randomUUID()
  #renewAtMs = 0

  /** Throws a UserError that names the manager that holds the job. */
  constructor(sqlite: DatabaseSync, now: Date = new Date()) {
    this.#sqlite = sqlite
    sqlite.exec('BEGIN IMMEDIATE') // or two could find the row free at once
    try {
      refuseIfHeld(sqlite, now)
      sqlite
        .prepare('INSERT OR REPLACE INTO manager_lease VALUES (1, ?, ?, ?, ?, ?)')
        .run(this.#holder, hostname(), process.pid, startOf(process.pid) ?? '', expiry(now))
      sqlite.exec('COMMIT')
    } catch (error) {
      sqlite.exec('ROLLBACK')
      throw error
    }
  }

  /** Before anything is launched or ended. Throws if another manager has taken over, as it may after a long sleep of this machine. */
  renew(now: Date): void {
    const row = readLease(this.#sqlite)
    if (row?.holder !== this.#holder) {
      const by = row === undefined ? 'another manager' : describe(row)
      throw new UserError(
        `The job has been taken over by ${by}; this one stops, and leaves VMs and queues as they are.`,
      )
    }
    if (now.getTime() < this.#renewAtMs) return
    this.#renewAtMs = now.getTime() + RENEW_MS
    const update = this.#sqlite.prepare('UPDATE manager_lease SET expires_at = ? WHERE holder = ?')
    update.run(expiry(now), this.#holder)
  }

  [Symbol.dispose](): void {
    this.#sqlite.prepare('DELETE FROM manager_lease WHERE holder = ?').run(this.#holder)
  }
}

/** Throws a UserError that names the manager that holds the job, if one does. */
export function refuseIfHeld(sqlite: DatabaseSync, now: Date = new Date()): void {
  const row = hasTable(sqlite, 'manager_lease') ? readLease(sqlite) : undefined
  if (row === undefined || !isHeld(row, now)) return
  throw new UserError(
    `The job is looked after by ${describe(row)}. End that one first, or follow it with cloud-tasks status.`,
  )
}

/** A manager looks after the job now, as far as can be told from here. */
export function isManaged(sqlite: DatabaseSync, now: Date = new Date()): boolean {
  const row = hasTable(sqlite, 'manager_lease') ? readLease(sqlite) : undefined
  return row !== undefined && isHeld(row, now)
}

interface LeaseRow {
  readonly holder: string
  readonly host: string
  readonly pid: number
  readonly processStart: string
  readonly expiresAt: string
}

function readLease(sqlite: DatabaseSync): LeaseRow | undefined {
  const row = sqlite.prepare('SELECT * FROM manager_lease').get()
  if (row === undefined) return undefined
  return {
    holder: String(row.holder),
    host: String(row.host),
    pid: Number(row.pid),
    processStart: String(row.process_start),
    expiresAt: String(row.expires_at),
  }
}

function isHeld({ host, pid, processStart, expiresAt }: LeaseRow, now: Date): boolean {
  if (host !== hostname()) return now.toISOString() < expiresAt
  const start = startOf(pid)
  return start !== undefined && start === processStart
}

/** What tells a process from a later one of the same pid: its start in kernel ticks, where /proc has it. undefined = it is gone. */
function startOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return undefined
    if (codeOf(error) !== 'EPERM') throw error
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : (fields[19] ?? '')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return '' // no /proc here, or it ended just now
    throw error
  }
}

function describe({ host, pid }: LeaseRow): string {
  return `another manager (process ${pid} on ${host})`
}

function expiry(now: Date): string {
  return new Date(now.getTime() + LEASE_MS).toISOString()
}
