// The way of a task into the DB and on into the queue.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { codeOf, UserError } from '../core/errors.ts'
import { messageOfTask, type Priority, SUCCESSOR_BYTES, type Task } from '../core/task.ts'
import type { Counters } from './job-db-counters.ts'
import { readJobFacts } from './job-db-facts.ts'
import { renderTimestamp } from './timestamps.ts'

export interface PendingTask {
  readonly row: number
  readonly taskId: string
  /** The queue message. */
  readonly body: string
  readonly priority?: Priority
  readonly notBeforeAt?: Date
}

export interface PendingBatch {
  readonly tasks: readonly PendingTask[]
  readonly lastRow: number
}

export class TaskWriter {
  readonly #sqlite: DatabaseSync
  readonly #counters: Counters
  readonly #insert: StatementSync
  readonly #pending: StatementSync
  readonly #countPending: StatementSync
  readonly #mark: StatementSync

  constructor(sqlite: DatabaseSync, counters: Counters) {
    this.#sqlite = sqlite
    this.#counters = counters
    this.#insert = sqlite.prepare(`
      INSERT INTO tasks (task_id, task_data, status, revision, priority, type, not_before)
      VALUES (?, ?, 'pending', 0, ?, ?, ?)`)
    this.#pending = sqlite.prepare(`
      SELECT rowid, task_id, priority, not_before, '{"task_id":' || json_quote(task_id) || ',"data":' || task_data
        || iif(type IS NULL, '', ',"type":' || json_quote(type))
        || iif(priority IS NULL, '', ',"priority":' || json_quote(priority))
        || iif(not_before IS NULL, '', ',"not_before":' || json_quote(not_before)) || '}'
      FROM tasks
      WHERE rowid > ? AND status = 'pending' ORDER BY rowid LIMIT ?`)
    this.#pending.setReturnArrays(true)
    this.#countPending = sqlite.prepare(
      `SELECT count(*) AS n FROM tasks WHERE rowid BETWEEN ? AND ? AND status = 'pending'`,
    )
    // An event may be faster than we are: then only the times are filled in. Rows of the Python system have them already.
    this.#mark = sqlite.prepare(`
      UPDATE tasks SET status = iif(status = 'pending', 'in_queue_original', status),
        enqueued_at = ?1, started_at = ?1, revision = coalesce(revision, 0) + 1
      WHERE rowid BETWEEN ?2 AND ?3 AND (enqueued_at IS NULL OR status = 'pending')`)
  }

  insert(tasks: readonly Task[], maxBodyBytes: number): void {
    for (const task of tasks) {
      const data = JSON.stringify(task.data)
      if (data.length + task.taskId.length + (task.type?.length ?? 0) > maxBodyBytes / SAFE_SHARE)
        checkSize(task, maxBodyBytes)
      try {
        this.#insert.run(
          task.taskId,
          data,
          task.priority ?? null,
          task.type ?? null,
          task.notBeforeAt?.toISOString() ?? null,
        )
      } catch (error) {
        throw this.#describeDuplicate(error, task.taskId)
      }
    }
    this.#counters.addTasks('pending', tasks.length)
  }

  pending(afterRow: number, maxCount: number): PendingBatch {
    const rows = this.#pending.all(afterRow, maxCount) as unknown as readonly PendingRow[]
    return { tasks: rows.map(pendingTask), lastRow: rows.at(-1)?.[0] ?? afterRow }
  }

  markQueued({ tasks }: PendingBatch, at: Date, sent?: readonly PendingTask[]): void {
    const first = tasks[0]
    const last = tasks.at(-1)
    if (first === undefined || last === undefined) return
    if (sent === undefined) this.#markRange(first.row, last.row, at)
    else for (const { row } of sent) this.#markRange(row, row, at)
  }

  #markRange(firstRow: number, lastRow: number, at: Date): void {
    const count = Number(this.#countPending.get(firstRow, lastRow)?.n)
    this.#mark.run(renderTimestamp(at), firstRow, lastRow)
    this.#counters.addTasks('pending', -count)
    this.#counters.addTasks('in_queue_original', count)
  }

  /** A row's number is its place among the loaded tasks, because the load is what fills the table. */
  #describeDuplicate(error: unknown, taskId: string): unknown {
    if (codeOf(error) !== 'ERR_SQLITE_ERROR') return error
    const first = this.#sqlite.prepare('SELECT rowid FROM tasks WHERE task_id = ?').get(taskId)
    if (first === undefined) return error
    const { skip = 0, taskFile } = readJobFacts(this.#sqlite)
    const second = Number(this.#sqlite.prepare('SELECT max(rowid) AS last FROM tasks').get()?.last) + 1
    return new UserError(
      `Task ${JSON.stringify(taskId)} is given twice${taskFile === undefined ? '' : ` in ${taskFile}`}: ` +
        `as task number ${Number(first.rowid) + skip} and as number ${second + skip}. Give each task its own task_id.`,
      { cause: error },
    )
  }
}

/** A message with fewer characters than this part of the limit fits, however they are encoded and escaped. */
const SAFE_SHARE = 8

function checkSize(task: Task, maxBodyBytes: number): void {
  const bytes = Buffer.byteLength(JSON.stringify(messageOfTask(task)))
  if (bytes <= maxBodyBytes - SUCCESSOR_BYTES) return
  throw new UserError(
    `Task ${JSON.stringify(task.taskId)} is ${bytes} bytes as a message; the queue takes ${maxBodyBytes}, of which ${SUCCESSOR_BYTES} are for counting attempts. Put big data into a file and its address into "data".`,
  )
}

/** The message is put together by SQLite: half the garbage, twice the speed. Same text as of `messageOfTask`. */
type PendingRow = readonly [
  row: number,
  taskId: string,
  priority: Priority | null,
  notBefore: string | null,
  body: string,
]

function pendingTask([row, taskId, priority, notBefore, body]: PendingRow): PendingTask {
  if (priority === null && notBefore === null) return { row, taskId, body }
  return {
    row,
    taskId,
    body,
    ...(priority === null ? undefined : { priority }),
    ...(notBefore === null ? undefined : { notBeforeAt: new Date(notBefore) }),
  }
}
