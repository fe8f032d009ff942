// The statements with which the index is filled, for databases of ours and of the Python system; rows as typed values.
import type { StatementSync } from 'node:sqlite'
import { ATTEMPT_KINDS } from './columns.ts'
import type { TaskState } from './job-index.ts'
import { msOf, numberOf, textOf } from './row-values.ts'
import type { WatchedDb } from './watched-db.ts'

export interface IndexedRow {
  readonly row: number
  readonly state: TaskState
}

export interface IndexedEvent {
  readonly id: number
  readonly type: string
  /** Index into ATTEMPT_KINDS; undefined for what is not the end of an attempt. */
  readonly kind: number | undefined
  readonly ms: number | undefined
  /** The host, where the event names no VM. */
  readonly vmId: string | undefined
  readonly elapsed: number
  /** Of its task; 0 = none. */
  readonly row: number
  /** As its task's row stands now; undefined where that was not asked. */
  readonly state?: TaskState
}

/** Both ends of a long text hold all that a heading can be made of. */
const EXCEPTION = `iif(length(exception) > 4000,
  substr(exception, 1, 2000) || char(10) || substr(exception, -2000), exception)`

export class IndexSql {
  readonly #rows: StatementSync
  readonly #settled: StatementSync | undefined
  readonly #live: StatementSync | undefined
  readonly #lastRow: StatementSync
  readonly #lastEvent: StatementSync | undefined

  constructor(watched: WatchedDb) {
    const { sqlite } = watched.db
    const prepare = (sql: string) => {
      const statement = sqlite.prepare(sql)
      statement.setReturnArrays(true)
      return statement
    }
    const column = (name: string) => (watched.has('tasks', name) ? name : 'NULL')
    const state = `status, elapsed_time, completed_at, ${EXCEPTION}, exit_code, ${column('attempt')}, ${column('dead_letter')}`
    this.#rows = prepare(`SELECT rowid, ${state} FROM tasks WHERE rowid > ? ORDER BY rowid LIMIT ?`)
    this.#lastRow = prepare('SELECT max(rowid) FROM tasks')
    if (!watched.has('events')) return
    const valid = 'json_valid(e.raw_event)'
    const event = `e.id, e.event_type, e.timestamp, e.hostname,
      iif(${valid}, json_extract(e.raw_event, '$.instance_id'), NULL),
      iif(${valid}, json_extract(e.raw_event, '$.elapsed_time'), NULL)`
    this.#settled = prepare(`SELECT ${event}, (SELECT rowid FROM tasks WHERE tasks.task_id = e.task_id)
      FROM events e WHERE e.id > ? AND e.id <= ? ORDER BY e.id LIMIT ?`)
    this.#live = prepare(`SELECT ${event}, tasks.rowid, ${state.replaceAll(/\battempt\b/g, 'tasks.attempt')}
      FROM events e LEFT JOIN tasks ON tasks.task_id = e.task_id WHERE e.id > ? ORDER BY e.id LIMIT ?`)
    this.#lastEvent = prepare('SELECT max(id) FROM events')
  }

  rowsAfter(row: number, count: number): readonly IndexedRow[] {
    return all(this.#rows, row, count).map(columns => ({
      row: Number(columns[0]),
      state: stateOf(columns, 1),
    }))
  }

  /** Of those up to `until`; without the state of their tasks. */
  settledEvents(after: number, until: number, count: number): readonly IndexedEvent[] {
    return this.#settled === undefined ? [] : all(this.#settled, after, until, count).map(columns => eventOf(columns))
  }

  liveEvents(after: number, count: number): readonly IndexedEvent[] {
    if (this.#live === undefined) return []
    return all(this.#live, after, count).map(columns => {
      const event = eventOf(columns)
      return event.row === 0 ? event : { ...event, state: stateOf(columns, 7) }
    })
  }

  lastRow(): number {
    return Number(all(this.#lastRow)[0]?.[0] ?? 0)
  }

  lastEvent(): number {
    return this.#lastEvent === undefined ? 0 : Number(all(this.#lastEvent)[0]?.[0] ?? 0)
  }
}

type Columns = readonly (string | number | null)[]

function all(statement: StatementSync, ...values: readonly number[]): readonly Columns[] {
  return statement.all(...values) as unknown as readonly Columns[]
}

function stateOf(columns: Columns, from: number): TaskState {
  return {
    status: String(columns[from]),
    elapsedSeconds: numberOf(columns[from + 1]),
    endedMs: msOf(columns[from + 2]),
    exception: textOf(columns[from + 3]),
    exitCode: numberOf(columns[from + 4]),
    attempt: numberOf(columns[from + 5]),
    deadLetter: textOf(columns[from + 6]),
  }
}

const KINDS = new Map<string, number>(ATTEMPT_KINDS.map((kind, index) => [`task_${kind}`, index]))

function eventOf(columns: Columns): IndexedEvent {
  const type = String(columns[1])
  return {
    id: Number(columns[0]),
    type,
    kind: KINDS.get(type),
    ms: msOf(columns[2]),
    vmId: textOf(columns[4]) ?? textOf(columns[3]),
    elapsed: numberOf(columns[5]) ?? 0,
    row: Number(columns[6] ?? 0),
  }
}
