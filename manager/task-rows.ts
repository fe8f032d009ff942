// A task's row showing its event.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Json } from '../core/task.ts'
import { exactField, hasInexactNumber } from '../infra/task-file/exact-numbers.ts'
import type { StoredEvent } from './event-order.ts'
import type { TaskStatus } from './job-db-status.ts'
import { normalizeTimestamp } from './timestamps.ts'

export class TaskRows {
  readonly #completeFirst: StatementSync
  readonly #showFirst: StatementSync
  readonly #show: StatementSync
  readonly #touch: StatementSync
  readonly #status: StatementSync

  constructor(sqlite: DatabaseSync) {
    const columns = `status = ?, retry = ?, completed_at = ?, elapsed_time = ?, hostname = ?, result = ?, exception = ?,
      exit_code = ?, attempt = ?, dead_letter = ?`
    const untouched = `task_id = ? AND revision = 1 AND status = 'in_queue_original'`
    const next = 'revision = coalesce(revision, 0) + 1'
    // Nearly all events. Touches no column that an index has.
    this.#completeFirst = sqlite.prepare(`
      UPDATE tasks SET status = 'completed', retry = ?, completed_at = ?, elapsed_time = ?, hostname = ?, result = ?,
        attempt = ?, revision = 2 WHERE ${untouched}`)
    this.#showFirst = sqlite.prepare(`UPDATE tasks SET ${columns}, revision = 2 WHERE ${untouched}`)
    this.#show = sqlite.prepare(`UPDATE tasks SET ${columns}, ${next} WHERE task_id = ?`)
    this.#touch = sqlite.prepare(`UPDATE tasks SET ${next} WHERE task_id = ?`)
    this.#status = sqlite.prepare('SELECT status FROM tasks WHERE task_id = ?')
  }

  /** False and nothing done unless the row is as the loader left it. */
  showFirst(stored: StoredEvent, status: TaskStatus): boolean {
    const { event, raw } = stored
    if (status !== 'completed' || event.outcome.kind !== 'completed') {
      return this.#showFirst.run(...shownColumns(stored, status), event.taskId).changes === 1
    }
    const done = this.#completeFirst.run(
      nullable(event.retry),
      normalizeTimestamp(event.timestamp),
      event.elapsedSeconds,
      event.hostname,
      renderResult(event.outcome.result, raw),
      event.attempt,
      event.taskId,
    )
    return done.changes === 1
  }

  show(stored: StoredEvent, status: TaskStatus): void {
    this.#show.run(...shownColumns(stored, status), stored.event.taskId)
  }

  /** Counts an event that the row does not show, so that the row is the same in whatever order they came. */
  touch(taskId: string): void {
    this.#touch.run(taskId)
  }

  /** undefined if there is no such task. */
  statusOf(taskId: string): TaskStatus | undefined {
    const row = this.#status.get(taskId)
    return row === undefined ? undefined : (row.status as TaskStatus)
  }
}

/** Fields that do not belong to the kind of event are emptied. */
function shownColumns({ event, raw }: StoredEvent, status: TaskStatus): readonly (string | number | null)[] {
  const { outcome } = event
  // Interrupted and to be run again: as if it had never left the queue.
  if (status === 'in_queue_original') return [status, null, null, null, null, null, null, null, event.attempt, null]
  return [
    status,
    nullable(event.retry),
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

function nullable(value: boolean | null): number | null {
  return value === null ? null : Number(value)
}

function renderResult(result: Json, raw: string): string {
  return JSON.stringify(hasInexactNumber(result) ? exactField(raw, 'result') : result)
}
