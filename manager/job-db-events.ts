// Stores events and lets each task's row show the one that counts. Runs inside a transaction of its caller.
import type { DatabaseSync } from 'node:sqlite'
import { type AttemptEvent, parseEvent, type TaskEvent } from '../core/task-event.ts'
import { type AppliedBatch, BatchSum } from './applied-batch.ts'
import { EventLog } from './event-log.ts'
import { compareEvents, isSameEvent, type StoredEvent, statusAfter } from './event-order.ts'
import type { Counters } from './job-db-counters.ts'
import { addVmWork } from './job-db-vms.ts'
import { TaskRows } from './task-rows.ts'
import { normalizeTimestamp } from './timestamps.ts'

export class EventApplier {
  readonly #sqlite: DatabaseSync
  readonly #counters: Counters
  readonly #log: EventLog
  readonly #rows: TaskRows
  #batch = new BatchSum(new Date(0))

  constructor(sqlite: DatabaseSync, counters: Counters) {
    this.#sqlite = sqlite
    this.#counters = counters
    this.#log = new EventLog(sqlite)
    this.#rows = new TaskRows(sqlite)
  }

  apply(raws: readonly string[], receivedAt: Date): AppliedBatch {
    const batch = new BatchSum(receivedAt)
    this.#batch = batch
    this.#log.forget()
    for (const raw of raws) this.#applyOne(raw)
    this.#log.flush()
    addVmWork(this.#sqlite, batch)
    return batch
  }

  #applyOne(text: string): void {
    const raw = text.startsWith('"') ? unwrap(text) : text
    try {
      this.#applyEvent(raw, parseEvent(raw))
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.#storeMalformed(raw) // nested deeper than JSON.stringify can follow; thrown before anything was written
    }
  }

  #applyEvent(raw: string, event: TaskEvent | undefined): void {
    if (event?.instanceId !== undefined) this.#batch.addHeard(event.instanceId)
    if (event === undefined) this.#storeMalformed(raw)
    else if (event.kind === 'attempt') this.#applyAttempt({ event, raw })
    else if (event.kind !== 'keep_alive') this.#storeWithoutTask(event, raw)
  }

  #applyAttempt(stored: StoredEvent): void {
    const { event } = stored
    const status = statusAfter(event)
    // Nearly always a task's first event: the row is as the loader left it, so no earlier event can be there.
    if (this.#rows.showFirst(stored, status)) {
      this.#counters.moveTask('in_queue_original', status)
      this.#store(stored)
      return
    }
    const earlier = this.#log.ofTask(event.taskId).flatMap(asStoredEvent)
    if (earlier.some(other => isSameEvent(other, stored))) {
      this.#batch.duplicateCount++
      return
    }
    this.#store(stored)
    const before = this.#rows.statusOf(event.taskId)
    if (before === undefined) {
      this.#batch.unknownTaskIds.push(event.taskId)
    } else if (earlier.every(other => compareEvents(stored, other) > 0)) {
      this.#rows.show(stored, status)
      this.#counters.moveTask(before, status)
    } else {
      this.#rows.touch(event.taskId)
    }
  }

  #store({ event, raw }: StoredEvent): void {
    const type = `task_${event.outcome.kind}`
    this.#log.append({
      timestamp: normalizeTimestamp(event.timestamp),
      hostname: event.hostname,
      type,
      taskId: event.taskId,
      raw,
      attempt: event.attempt,
    })
    this.#counters.addEvent(type)
    if (wantsAnotherAttempt(event)) this.#counters.addRetried()
    this.#batch.addStored(raw)
    if (event.instanceId !== undefined) this.#batch.addWork(event.instanceId, event)
  }

  #storeWithoutTask(event: Exclude<TaskEvent, AttemptEvent>, raw: string): void {
    const { kind: type, hostname } = event
    const timestamp = normalizeTimestamp(event.timestamp)
    const id = event.eventId
    const there = this.#log
      .withoutTask(timestamp)
      .some(other => (id === undefined ? other === raw : parseEvent(other)?.eventId === id))
    if (there) {
      this.#batch.duplicateCount++
      return
    }
    this.#log.append({ timestamp, hostname, type, taskId: null, raw, attempt: 0 })
    this.#counters.addEvent(type)
    this.#batch.addStored(raw)
  }

  #storeMalformed(raw: string): void {
    if (this.#log.withoutTask(null).includes(raw)) {
      this.#batch.duplicateCount++
      return
    }
    this.#log.append({ timestamp: null, hostname: null, type: 'malformed', taskId: null, raw, attempt: 0 })
    this.#counters.addEvent('malformed')
    this.#batch.malformed.push(raw)
  }
}

function asStoredEvent(raw: string): readonly StoredEvent[] {
  const event = parseEvent(raw)
  return event?.kind === 'attempt' ? [{ event, raw }] : []
}

function wantsAnotherAttempt({ retry, deadLetter, outcome }: AttemptEvent): boolean {
  return retry === true && deadLetter === undefined && outcome.kind !== 'interrupted'
}

/** Some Python writers encode twice; we keep the inner text, so that both ways are the same event. */
function unwrap(text: string): string {
  try {
    const inner: unknown = JSON.parse(text)
    return typeof inner === 'string' ? inner : text
  } catch (error) {
    if (error instanceof SyntaxError) return text
    throw error
  }
}
