// Which of a task's events its row shows: a total order, so that duplicates and any order of arrival give the same row.
import type { AttemptEvent } from '../core/task-event.ts'
import { isFinal, type TaskStatus } from './job-db-status.ts'
import { compareTimestamps, normalizeTimestamp } from './timestamps.ts'

/** A task's event with the text it came as. */
export interface StoredEvent {
  readonly event: AttemptEvent
  readonly raw: string
}

/** Positive if `a` beats `b`. */
export function compareEvents(a: StoredEvent, b: StoredEvent): number {
  const statusA = statusAfter(a.event)
  const statusB = statusAfter(b.event)
  return (
    Number(statusA === 'completed') - Number(statusB === 'completed') || // a result is never lost again
    a.event.attempt - b.event.attempt ||
    Number(isFinal(statusA)) - Number(isFinal(statusB)) ||
    compareTimestamps(normalizeTimestamp(a.event.timestamp), normalizeTimestamp(b.event.timestamp)) ||
    compareTexts(a.event.eventId ?? '', b.event.eventId ?? '') ||
    compareTexts(a.raw, b.raw)
  )
}

/** True for two deliveries of one event. Those of the Python system have no id: equal text is all there is. */
export function isSameEvent(a: StoredEvent, b: StoredEvent): boolean {
  return a.event.eventId === undefined ? a.raw === b.raw : a.event.eventId === b.event.eventId
}

export function statusAfter(event: AttemptEvent): TaskStatus {
  if (event.deadLetter !== undefined) return 'failed'
  const again = event.retry === true
  switch (event.outcome.kind) {
    case 'completed':
      return event.outcome.retry ? 'completed_with_retry' : 'completed'
    case 'exception':
      return again ? 'exception_with_retry' : 'exception'
    case 'timed_out':
      return again ? 'timed_out_with_retry' : 'timed_out'
    case 'exited':
      return again ? 'exited_without_status_with_retry' : 'exited_without_status'
    case 'interrupted':
      return 'in_queue_original'
  }
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
