// Reads the database into a JobIndex and keeps it up to date, in slices so short that the server answers in between.
//
// New rows of `tasks` are read in order; after that, each new event names the task whose row has changed in the same
// transaction. What changes without an event (sending, requeueing, other programs) shows in the counts: while those differ,
// all rows are read again, slowly.
import { systemClock } from '../../core/clock.ts'
import { TASK_STATUSES } from '../job-db-status.ts'
import { ATTEMPT_KINDS, statusCode } from './columns.ts'
import { type IndexedEvent, IndexSql } from './index-sql.ts'
import type { JobIndex } from './job-index.ts'
import type { WatchedDb } from './watched-db.ts'

const SLICE_MS = 15
const ALONE_LOAD = 0.9 // where nobody writes
const MOST_SLICE_ROWS = 2000 // more is hardly faster, and what it leaves to the garbage collector is memory
const LOOK_MS = 500 // between two looks at a database in which nothing is left to read

export interface IndexFillerOptions {
  readonly watched: WatchedDb
  readonly index: JobIndex
  /** Part of the time that may be spent on reading while others write. */
  readonly load: number
}

export class IndexFiller {
  readonly #watched: WatchedDb
  readonly #index: JobIndex
  readonly #load: number
  readonly #sql: IndexSql
  #sliceRows = 1000
  #lastRow = 0
  #lastEvent = 0
  /** Events up to this one are older than the rows that were read: they change no row any more. */
  readonly #settledEvent: number
  #againRow: number | undefined

  constructor({ watched, index, load }: IndexFillerOptions) {
    this.#watched = watched
    this.#index = index
    this.#load = load
    this.#sql = new IndexSql(watched)
    this.#settledEvent = this.#sql.lastEvent()
    const rows = this.#sql.lastRow()
    index.tasks.reserve(rows + 1)
    index.attempts.reserve(this.#settledEvent)
  }

  /** Until the signal, or until another database is in the file's place. */
  async run(signal: AbortSignal): Promise<void> {
    let idle = false
    while (!signal.aborted) {
      const found = this.#watched.look()
      if (found === 'replaced') return
      if (idle && found === 'same') {
        await systemClock.sleep(LOOK_MS, signal)
        continue
      }
      const startedAt = performance.now()
      const more = this.#watched.attempt(() => this.step()) ?? false
      const took = performance.now() - startedAt
      idle = !more
      // Who writes needs the machine more.
      const load = found === 'changed' ? this.#load : ALONE_LOAD
      await systemClock.sleep(more ? took / load - took : LOOK_MS, signal)
    }
  }

  /** Reads one slice. False when there is nothing more to read just now. */
  step(): boolean {
    const startedAt = performance.now()
    const sqlite = this.#watched.db.sqlite
    const most = this.#sliceRows
    let more = true
    sqlite.exec('BEGIN') // rows, events and counts of one moment
    try {
      more = this.#readRows() === most || this.#readEvents() || this.#readAgain()
    } finally {
      sqlite.exec('COMMIT')
    }
    const tookMs = Math.max(0.1, performance.now() - startedAt)
    if (more) this.#sliceRows = Math.max(200, Math.min(MOST_SLICE_ROWS, Math.round((most * SLICE_MS) / tookMs)))
    return more
  }

  #readRows(): number {
    const rows = this.#sql.rowsAfter(this.#lastRow, this.#sliceRows)
    for (const { row, state } of rows) {
      this.#index.setTask(row, state)
      this.#lastRow = row
    }
    if (rows.length > 0) this.#index.share = this.#share()
    return rows.length
  }

  /** True if there are more. */
  #readEvents(): boolean {
    const settled = this.#lastEvent < this.#settledEvent
    const events = settled
      ? this.#sql.settledEvents(this.#lastEvent, this.#settledEvent, this.#sliceRows)
      : this.#sql.liveEvents(this.#lastEvent, this.#sliceRows)
    for (const event of events) {
      this.#lastEvent = event.id
      const vm = this.#index.vmNumber(event.vmId)
      if (event.kind === undefined) this.#noteNotice(event, vm)
      else this.#addAttempt(event.kind, event, vm)
      // A row that is newer than all that were read will be read as it stands.
      if (event.state !== undefined && event.row <= this.#lastRow) this.#index.setTask(event.row, event.state)
    }
    if (settled && events.length === 0) this.#lastEvent = this.#settledEvent
    this.#index.version += events.length
    const more = settled || events.length === this.#sliceRows
    this.#index.share = more ? this.#share() : 1
    return more
  }

  #noteNotice({ type, ms }: IndexedEvent, vm: number): void {
    const trace = this.#index.vms[vm]
    if (trace !== undefined && type === 'spot_termination') trace.noticeMs = ms
  }

  #addAttempt(kind: number, { ms, elapsed, row }: IndexedEvent, vm: number): void {
    const { attempts, tasks, vms, throughput } = this.#index
    const at = attempts.count++
    attempts.reserve(at + 1)
    attempts.kind[at] = kind
    attempts.vm[at] = vm
    attempts.taskRow[at] = row
    attempts.elapsed[at] = elapsed
    attempts.setEndedMs(at, ms)
    if (row !== 0) {
      tasks.reserve(row + 1)
      tasks.vm[row] = vm
    }
    const trace = vms[vm]
    const completed = ATTEMPT_KINDS[kind] === 'completed'
    if (trace !== undefined) {
      trace.attempts++
      if (completed) trace.completed++
      if (ms !== undefined) {
        trace.firstMs = Math.min(trace.firstMs, ms - elapsed * 1000)
        trace.lastMs = Math.max(trace.lastMs, ms)
      }
    }
    if (ms !== undefined && ATTEMPT_KINDS[kind] !== 'interrupted') throughput.add(ms, completed)
  }

  /** Only when everything else is read: the counts of the same moment tell whether rows have changed unheard. */
  #readAgain(): boolean {
    if (this.#againRow === undefined) {
      if (this.#countsAgree()) return false
      this.#againRow = 0
    }
    const rows = this.#sql.rowsAfter(this.#againRow, this.#sliceRows)
    for (const { row, state } of rows) if (row <= this.#lastRow) this.#index.setTask(row, state)
    this.#againRow = rows.at(-1)?.row
    return rows.length > 0
  }

  #countsAgree(): boolean {
    const counts = this.#watched.db.counts()
    const ours = this.#index.tasks.counts
    return TASK_STATUSES.every(status => counts[status] === ours[statusCode(status)])
  }

  #share(): number {
    const total = Math.max(this.#sql.lastRow(), this.#lastRow) + Math.max(this.#sql.lastEvent(), this.#lastEvent)
    return total === 0 ? 1 : Math.min(0.999, (this.#lastRow + this.#lastEvent) / total)
  }
}
