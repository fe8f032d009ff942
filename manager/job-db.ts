// The job database: every task, every event, every VM, and the totals. One handle a process; several processes may share
// the file. Each method is one transaction, so a killed process leaves either all of a call or nothing of it.
import { existsSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { codeOf } from '../core/errors.ts'
import type { Task } from '../core/task.ts'
import type { Vm } from '../infra/provider.ts'
import type { AppliedBatch } from './applied-batch.ts'
import { Counters, readStatusCounts } from './job-db-counters.ts'
import { EventApplier } from './job-db-events.ts'
import { type JobFacts, readJobFacts, writeJobFacts } from './job-db-facts.ts'
import { describeSqliteError, hasTable, type JobDbMode, openSqlite } from './job-db-open.ts'
import { type StatusCounts, unfinishedCount } from './job-db-status.ts'
import { type PendingBatch, type PendingTask, TaskWriter } from './job-db-tasks.ts'
import { readVms, type SaveVmsOptions, saveVms, type VmRecord } from './job-db-vms.ts'
import { readStatistics, type Statistics } from './statistics.ts'

export interface OpenJobDbOptions {
  readonly mode: JobDbMode
  /** How long to wait for another process that is writing. */
  readonly lockWaitMs?: number
}

export function openJobDb(file: string, { mode, lockWaitMs = LOCK_WAIT_MS }: OpenJobDbOptions): JobDb {
  return new JobDb(file, openSqlite(file, { mode, lockWaitMs }), mode)
}

const LOCK_WAIT_MS = 10_000 // others hold the file for milliseconds; longer means that one is stuck

export class JobDb {
  readonly file: string
  /** For tables of others in the same file. What is in ours changes only through the methods below. */
  readonly sqlite: DatabaseSync
  readonly #mode: JobDbMode
  /** False only for a DB of the Python system that is open for reading. */
  readonly #versioned: boolean
  readonly #counters: Counters
  #tasks: TaskWriter | undefined
  #events: EventApplier | undefined

  constructor(file: string, sqlite: DatabaseSync, mode: JobDbMode) {
    this.file = file
    this.sqlite = sqlite
    this.#mode = mode
    this.#versioned = hasTable(sqlite, 'counters')
    this.#counters = new Counters(sqlite)
  }

  /** What the job is, merged over what was saved before. */
  saveJob(facts: JobFacts): void {
    this.#transaction(() => writeJobFacts(this.sqlite, facts))
  }

  job(): JobFacts {
    return this.#guard(() => (this.#versioned ? readJobFacts(this.sqlite) : {}))
  }

  /** All or none. Throws a UserError for a task id that is there already, and for a message over the limit. */
  insertPending(tasks: readonly Task[], { maxBodyBytes }: { readonly maxBodyBytes?: number } = {}): void {
    this.#transaction(() => this.#taskWriter().insert(tasks, maxBodyBytes ?? Number.POSITIVE_INFINITY))
  }

  /** Tasks that may not be in the queue yet, in the order of the file; `afterRow` is the last row of the batch before. */
  pendingBatch({ afterRow, maxCount }: { readonly afterRow: number; readonly maxCount: number }): PendingBatch {
    return this.#guard(() => this.#taskWriter().pending(afterRow, maxCount))
  }

  /** All of them, batch after batch. Each may be marked before the next is asked for. */
  *pendingBatches({ maxCount = 1000 }: { readonly maxCount?: number } = {}): Generator<PendingBatch> {
    for (let afterRow = 0; ; ) {
      const batch = this.pendingBatch({ afterRow, maxCount })
      if (batch.tasks.length === 0) return
      yield batch
      afterRow = batch.lastRow
    }
  }

  /** The queue has accepted all tasks of the batch, or just those in `sent`. */
  markQueued(batch: PendingBatch, at: Date, sent?: readonly PendingTask[]): void {
    this.#transaction(() => this.#taskWriter().markQueued(batch, at, sent))
  }

  /**
   * Stores and applies event bodies. The same events, in any order and however often, leave the same tasks.
   * `beforeCommit` sees what is new while a crash would still bring all of it again.
   */
  applyEvents(
    raws: readonly string[],
    receivedAt: Date,
    { beforeCommit }: { readonly beforeCommit?: (batch: AppliedBatch) => void } = {},
  ): AppliedBatch {
    this.#events ??= new EventApplier(this.sqlite, this.#counters)
    const events = this.#events
    return this.#transaction(() => {
      const batch = events.apply(raws, receivedAt)
      beforeCommit?.(batch)
      return batch
    })
  }

  /** As if they had never left the queue; their events stay. Unknown ids are ignored. */
  resetTasks(taskIds: readonly string[]): void {
    // The revision stays, so that the counters' trigger counts the change.
    const reset = `UPDATE tasks SET status = 'in_queue_original', retry = NULL, completed_at = NULL, elapsed_time = NULL,
      hostname = NULL, result = NULL, exception = NULL, exit_code = NULL, dead_letter = NULL
      WHERE task_id IN (SELECT value FROM json_each(?)) AND status NOT IN ('completed', 'in_queue_original')`
    this.#transaction(() => this.sqlite.prepare(reset).run(JSON.stringify(taskIds)))
  }

  /** Every stored event that is JSON, oldest first. */
  *rawEvents(): Generator<string> {
    const rows = this.sqlite.prepare(`SELECT raw_event FROM events WHERE event_type IS NOT 'malformed' ORDER BY id`)
    for (const row of rows.iterate()) yield String(row.raw_event)
  }

  counts(): StatusCounts {
    return this.#guard(() => readStatusCounts(this.sqlite, this.#versioned))
  }

  unfinishedCount(): number {
    return unfinishedCount(this.counts())
  }

  saveVms(vms: readonly Vm[], now: Date, options: SaveVmsOptions = {}): void {
    this.#transaction(() => saveVms(this.sqlite, vms, now, options))
  }

  vms(): readonly VmRecord[] {
    return this.#guard(() => (this.#versioned ? readVms(this.sqlite) : []))
  }

  /** Reads all tasks: seconds for millions of them. */
  statistics(): Statistics {
    return this.#guard(() => readStatistics(this.sqlite, this.#versioned))
  }

  close(): void {
    if (this.sqlite.isOpen) this.sqlite.close()
  }

  /** Closes and deletes a DB that this very handle created: an unfinished load leaves nothing behind. */
  discard(): void {
    this.close()
    if (this.#mode === 'create') removeJobDbFiles(this.file)
  }

  #taskWriter(): TaskWriter {
    this.#tasks ??= new TaskWriter(this.sqlite, this.#counters)
    return this.#tasks
  }

  #transaction<T>(change: () => T): T {
    return this.#guard(() => {
      this.sqlite.exec('BEGIN IMMEDIATE')
      try {
        const result = change()
        this.#counters.write()
        this.sqlite.exec('COMMIT')
        return result
      } catch (error) {
        this.#counters.forget()
        if (this.sqlite.isTransaction) this.sqlite.exec('ROLLBACK')
        throw error
      }
    })
  }

  #guard<T>(action: () => T): T {
    try {
      return action()
    } catch (error) {
      throw describeSqliteError(error, this.file)
    }
  }
}

/** Brings what is in `-wal` into the file and removes both companions. What is no database any more just loses them. */
export function foldIntoOneFile(file: string): void {
  if (existsSync(file)) {
    const sqlite = new DatabaseSync(file, { timeout: LOCK_WAIT_MS })
    try {
      sqlite.exec('PRAGMA wal_checkpoint(TRUNCATE)') // works beside a reader, of which the next line may fail
      sqlite.exec('PRAGMA journal_mode = DELETE')
    } catch (error) {
      if (codeOf(error) !== 'ERR_SQLITE_ERROR') throw error
    } finally {
      sqlite.close()
    }
  }
  for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true })
}

/** The file first: what SQLite leaves beside a missing file is never taken for data of another one of that name. */
export function removeJobDbFiles(file: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })
}
