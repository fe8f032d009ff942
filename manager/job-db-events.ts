// Stores events and lets each task's row show the one that counts. Runs inside a transaction of its caller.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { VmId } from '../core/ids.ts'
import type { Json } from '../core/task.ts'
import { type AttemptEvent, parseEvent, type TaskEvent } from '../core/task-event.ts'
import { exactValue, hasInexactNumber } from '../infra/task-file/exact-numbers.ts'
import { compareEvents, isSameEvent, type StoredEvent, statusAfter } from './event-order.ts'
import type { Counters } from './job-db-counters.ts'
import type { TaskStatus } from './job-db-status.ts'
import { normalizeTimestamp, renderTimestamp } from './timestamps.ts'

export interface AppliedBatch {
  /** VMs that said anything in this batch, and when we heard it. */
  readonly heardAt: ReadonlyMap<VmId, Date>
  /** Events now stored that were not before, in order of arrival, as JSON on one line: for the output file and for people. */
  readonly stored: readonly string[]
  readonly duplicateCount: number
  /** Texts that are no event we know. Kept in the DB. */
  readonly malformed: readonly string[]
  /** Tasks that are not in the DB. Their events are kept. */
  readonly unknownTaskIds: readonly string[]
}

export class EventApplier {
  readonly #counters: Counters
  readonly #statements: Statements
  #batch = new Batch(new Date())

  constructor(sqlite: DatabaseSync, counters: Counters) {
    this.#counters = counters
    this.#statements = prepareStatements(sqlite)
  }

  apply(raws: readonly string[], receivedAt: Date): AppliedBatch {
    this.#batch = new Batch(receivedAt)
    for (const raw of raws) this.#applyOne(raw)
    this.#writeInstances()
    return this.#batch
  }

  #applyOne(text: string): void {
    const raw = text.startsWith('"') ? unwrap(text) : text
    const event = parseEvent(raw)
    if (event === undefined) {
      this.#storeMalformed(raw)
      return
    }
    if (event.instanceId !== undefined) this.#batch.hear(event.instanceId)
    if (event.kind === 'keep_alive') return
    if (event.kind === 'attempt') this.#applyAttempt({ event, raw })
    else this.#storeWithoutTask(event, raw)
  }

  #applyAttempt(stored: StoredEvent): void {
    const { event } = stored
    const status = statusAfter(event)
    // Nearly always a task's first event: the row is as the loader left it, so no earlier event can be there.
    if (this.#statements.showFirst.run(...shown(stored, status), event.taskId).changes === 1) {
      this.#counters.move('in_queue_original', status)
      this.#insert(stored)
      return
    }
    const earlier = this.#eventsOf(event.taskId)
    if (earlier.some(other => isSameEvent(other, stored))) {
      this.#batch.duplicateCount++
      return
    }
    this.#insert(stored)
    const before = this.#statements.statusOf.get(event.taskId)?.status
    if (before === undefined) {
      this.#batch.unknownTaskIds.push(event.taskId)
    } else if (earlier.every(other => compareEvents(stored, other) > 0)) {
      this.#statements.show.run(...shown(stored, status), event.taskId)
      this.#counters.move(before as TaskStatus, status)
    } else {
      this.#statements.touch.run(event.taskId)
    }
  }

  #eventsOf(taskId: string): readonly StoredEvent[] {
    return this.#statements.eventsOf.all(taskId).flatMap(row => {
      const raw = String(row.raw_event)
      const event = parseEvent(raw)
      return event?.kind === 'attempt' ? [{ event, raw }] : []
    })
  }

  #insert({ event, raw }: StoredEvent): void {
    const type = `task_${event.outcome.kind}`
    this.#statements.insert.run(
      normalizeTimestamp(event.timestamp),
      event.hostname,
      type,
      event.taskId,
      raw,
      event.attempt,
    )
    this.#counters.add(`event:${type}`, 1)
    if (event.retry === true && event.deadLetter === undefined && event.outcome.kind !== 'interrupted') {
      this.#counters.add('retried', 1)
    }
    this.#batch.store(raw)
    if (event.instanceId !== undefined) this.#batch.work(event.instanceId, event)
  }

  #storeWithoutTask(event: Exclude<TaskEvent, AttemptEvent>, raw: string): void {
    const timestamp = normalizeTimestamp(event.timestamp)
    for (const row of this.#statements.withoutTask.all(timestamp)) {
      const other = parseEvent(String(row.raw_event))
      const same = event.eventId === undefined ? row.raw_event === raw : other?.eventId === event.eventId
      if (same) {
        this.#batch.duplicateCount++
        return
      }
    }
    this.#statements.insert.run(timestamp, event.hostname, event.kind, null, raw, 0)
    this.#counters.add(`event:${event.kind}`, 1)
    this.#batch.store(raw)
  }

  #storeMalformed(raw: string): void {
    this.#batch.malformed.push(raw)
    const there = this.#statements.withoutTask.all(null).some(row => row.raw_event === raw)
    if (there) this.#batch.duplicateCount++
    else this.#statements.insert.run(null, null, 'malformed', null, raw, 0)
  }

  #writeInstances(): void {
    const heardAt = renderTimestamp(this.#batch.receivedAt)
    for (const id of this.#batch.heardAt.keys()) {
      const work = this.#batch.workOf.get(id)
      this.#statements.hear.run(id, heardAt, work?.attempts ?? 0, work?.completed ?? 0, work?.busySeconds ?? 0)
    }
  }
}

class Batch implements AppliedBatch {
  readonly receivedAt: Date
  readonly heardAt = new Map<VmId, Date>()
  readonly workOf = new Map<VmId, { attempts: number; completed: number; busySeconds: number }>()
  readonly stored: string[] = []
  readonly malformed: string[] = []
  readonly unknownTaskIds: string[] = []
  duplicateCount = 0

  constructor(receivedAt: Date) {
    this.receivedAt = receivedAt
  }

  hear(id: VmId): void {
    if (!this.heardAt.has(id)) this.heardAt.set(id, this.receivedAt)
  }

  store(raw: string): void {
    this.stored.push(raw.includes('\n') ? raw.replaceAll(/\s*\n\s*/g, ' ') : raw) // inside a JSON text it would be \n
  }

  work(id: VmId, event: AttemptEvent): void {
    const sums = this.workOf.get(id) ?? { attempts: 0, completed: 0, busySeconds: 0 }
    sums.attempts++
    if (event.outcome.kind === 'completed' && !event.outcome.retry) sums.completed++
    sums.busySeconds += event.elapsedSeconds
    this.workOf.set(id, sums)
  }
}

interface Statements {
  readonly showFirst: StatementSync
  readonly show: StatementSync
  readonly touch: StatementSync
  readonly statusOf: StatementSync
  readonly eventsOf: StatementSync
  readonly withoutTask: StatementSync
  readonly insert: StatementSync
  readonly hear: StatementSync
}

function prepareStatements(sqlite: DatabaseSync): Statements {
  const columns = `status = ?, retry = ?, completed_at = ?, elapsed_time = ?, hostname = ?, result = ?, exception = ?,
    exit_code = ?, attempt = ?, dead_letter = ?`
  return {
    showFirst: sqlite.prepare(
      `UPDATE tasks SET ${columns}, revision = 2 WHERE task_id = ? AND revision = 1 AND status = 'in_queue_original'`,
    ),
    show: sqlite.prepare(`UPDATE tasks SET ${columns}, revision = coalesce(revision, 0) + 1 WHERE task_id = ?`),
    touch: sqlite.prepare('UPDATE tasks SET revision = coalesce(revision, 0) + 1 WHERE task_id = ?'),
    statusOf: sqlite.prepare('SELECT status FROM tasks WHERE task_id = ?'),
    eventsOf: sqlite.prepare('SELECT raw_event FROM events WHERE task_id = ?'),
    withoutTask: sqlite.prepare('SELECT raw_event FROM events WHERE task_id IS NULL AND timestamp IS ?'),
    insert: sqlite.prepare(
      'INSERT INTO events (timestamp, hostname, event_type, task_id, raw_event, attempt) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    hear: sqlite.prepare(`
      INSERT INTO instances (id, last_heard_at, attempts, completed, busy_seconds) VALUES (?1, ?2, ?3, ?4, ?5)
      ON CONFLICT DO UPDATE SET last_heard_at = max(coalesce(last_heard_at, ''), ?2), attempts = attempts + ?3,
        completed = completed + ?4, busy_seconds = busy_seconds + ?5`),
  }
}

type ShownColumns = readonly (string | number | null)[]

/** What a row shows of its event; fields that do not belong to the kind of event are emptied. */
function shown({ event, raw }: StoredEvent, status: TaskStatus): ShownColumns {
  const { outcome } = event
  // Interrupted and to be run again: as if it had never left the queue.
  if (status === 'in_queue_original') return [status, null, null, null, null, null, null, null, event.attempt, null]
  return [
    status,
    event.retry === null ? null : Number(event.retry),
    normalizeTimestamp(event.timestamp),
    event.elapsedSeconds,
    event.hostname,
    outcome.kind === 'completed' ? renderResult(outcome.result, raw) : null,
    outcome.kind === 'exception' ? outcome.exception : null,
    outcome.kind === 'exited' ? (outcome.exitCode ?? null) : null,
    event.attempt,
    event.deadLetter ?? null,
  ]
}

function renderResult(result: Json, raw: string): string {
  return JSON.stringify(hasInexactNumber(result) ? exactValue(raw, 'result') : result)
}

/** Some Python writers encode twice; we keep the inner text, so that both ways are the same event. */
function unwrap(text: string): string {
  try {
    const inner: unknown = JSON.parse(text)
    return typeof inner === 'string' ? inner : text
  } catch {
    return text // not JSON at all: kept as it came
  }
}
