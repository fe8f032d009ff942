// What the Python system and we must agree on: what stands in the database and in the events when the tasks of interop-tasks.ts
// have run.
import assert from 'node:assert/strict'
import { MAX_RUNTIME_SECONDS, rowsOf } from '../../support/python-peer.ts'
import { AWKWARD, canonical, type InteropTasks } from './interop-tasks.ts'

interface Outcome {
  readonly status: string
  readonly retry: number | null
  /** As text, white space and escapes apart. */
  readonly result: string | null
  /** The last line of the traceback: the lines before tell of the program that ran it. */
  readonly exception: string | null
  readonly exitCode: number | null
}

const FAILED = { retry: null, result: null, exception: null, exitCode: null }

export function completed(result: string): Outcome {
  return { ...FAILED, status: 'completed', retry: 0, result: canonical(result) }
}

export function expectedOutcomes({ sumCount }: Pick<InteropTasks, 'sumCount'>): Map<string, Outcome> {
  return new Map<string, Outcome>([
    ['hangs', { ...FAILED, status: 'timed_out' }],
    ['raises', { ...FAILED, status: 'exception', exception: 'ValueError: no luck with raises: ü' }],
    ['exits', { ...FAILED, status: 'exited_without_status', exitCode: 3 }],
    ['again', completed('"at last"')],
    ...Object.entries(AWKWARD).map(([name, value]) => [`echo-${name}`, completed(value)] as const),
    ...Array.from({ length: sumCount }, (_, i) => [`sum-${i}`, completed(String(i + 1))] as const),
  ])
}

/** Every row of a job database, whoever made it. What cannot be the same twice is checked for being plausible. */
export function outcomesIn(dbFile: string): ReadonlyMap<string, Outcome> {
  const outcomes = new Map<string, Outcome>()
  for (const row of rowsOf(dbFile, 'SELECT * FROM tasks')) {
    const id = String(row.task_id)
    const elapsed = Number(row.elapsed_time)
    const [least, most] = id === 'hangs' ? [MAX_RUNTIME_SECONDS, 3 * MAX_RUNTIME_SECONDS] : [0, MAX_RUNTIME_SECONDS]
    assert.ok(row.elapsed_time !== null && elapsed >= least && elapsed <= most, `${id} took ${elapsed} s`)
    assert.ok(typeof row.hostname === 'string' && row.hostname !== '', `${id} has no host`)
    const times = [row.enqueued_at, row.started_at, row.completed_at].map(String)
    for (const time of times) assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00$/)
    assert.deepEqual(times.toSorted(), times, `${id} was queued, sent and ended in another order`)
    outcomes.set(id, {
      status: String(row.status),
      retry: row.retry === null ? null : Number(row.retry),
      result: row.result === null ? null : canonical(String(row.result)),
      exception: row.exception === null ? null : (String(row.exception).trimEnd().split('\n').at(-1) ?? ''),
      exitCode: row.exit_code === null ? null : Number(row.exit_code),
    })
  }
  return outcomes
}

/** Data of each task, as the text in the database says. */
export function dataIn(dbFile: string): ReadonlyMap<string, string> {
  const rows = rowsOf(dbFile, 'SELECT task_id, task_data FROM tasks ORDER BY task_id')
  return new Map(rows.map(row => [String(row.task_id), canonical(String(row.task_data))]))
}

/** Events in the order of their keys, which is that of the Python system; ours have keys of our own after them. */
const EVENT_KEYS: Readonly<Record<string, readonly string[]>> = {
  task_completed: ['task_id', 'retry', 'elapsed_time', 'result'],
  task_exception: ['task_id', 'retry', 'elapsed_time', 'exception'],
  task_timed_out: ['task_id', 'retry', 'elapsed_time'],
  task_exited: ['task_id', 'retry', 'elapsed_time', 'exit_code'],
  non_fatal_exception: ['exception'],
}
const OUR_KEYS = ['attempt', 'cpu_seconds', 'max_rss_bytes', 'event_id', 'instance_id']
const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  hostname: value => typeof value === 'string' && value !== '',
  task_id: value => typeof value === 'string',
  retry: value => value === null || typeof value === 'boolean',
  elapsed_time: value => typeof value === 'number' && value >= 0,
  exception: value => typeof value === 'string',
  exit_code: value => Number.isInteger(value),
  timestamp: value => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/.test(String(value)),
}

interface EventCounts {
  readonly ours: number
  readonly theirs: number
}

/** Checks keys, their order and types of every event, and counts them by the system that sent them. */
export function checkEvents(dbFile: string): EventCounts {
  let [ours, theirs] = [0, 0]
  for (const row of rowsOf(dbFile, 'SELECT * FROM events')) {
    const text = String(row.raw_event)
    const event: Record<string, unknown> = JSON.parse(text)
    const keys = Object.keys(event)
    const wanted = ['timestamp', 'hostname', 'event_type', ...(EVENT_KEYS[String(event.event_type)] ?? ['?'])]
    assert.deepEqual(keys.slice(0, wanted.length), wanted, text)
    for (const key of keys) assert.ok(TYPES[key]?.(event[key]) !== false, `${key} of ${text}`)
    assert.deepEqual([row.event_type, row.task_id ?? undefined], [event.event_type, event.task_id])
    if (event.event_id === undefined) {
      theirs++
      assert.equal(keys.length, wanted.length, text)
    } else {
      ours++
      const more = keys.slice(wanted.length)
      assert.deepEqual(
        more,
        OUR_KEYS.filter(key => more.includes(key)),
        text,
      )
    }
  }
  return { ours, theirs }
}

/** The columns that the Python system makes, in its order; more of ours may follow. */
export function checkTables(dbFile: string): void {
  const columns = (table: string) => rowsOf(dbFile, `PRAGMA table_info(${table})`).map(row => `${row.name} ${row.type}`)
  for (const [table, wanted] of Object.entries(TABLES)) {
    assert.deepEqual(columns(table).slice(0, wanted.length), wanted)
  }
}

const TABLES: Readonly<Record<string, readonly string[]>> = {
  tasks: [
    'task_id TEXT',
    'task_data TEXT',
    'status TEXT',
    'retry BOOLEAN',
    'enqueued_at TIMESTAMP',
    'started_at TIMESTAMP',
    'completed_at TIMESTAMP',
    'elapsed_time REAL',
    'hostname TEXT',
    'result TEXT',
    'exception TEXT',
    'exit_code INTEGER',
  ],
  events: ['id INTEGER', 'timestamp TIMESTAMP', 'hostname TEXT', 'event_type TEXT', 'task_id TEXT', 'raw_event TEXT'],
}
