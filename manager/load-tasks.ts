// Brings tasks from a file into the job DB and the queue, so that a process killed at any point can be followed by another.
//
// 1. All tasks go into the DB as `pending`, checked: ids are unique, bodies fit. Nothing has been sent so far, so a wrong
//    file leaves neither a DB nor messages behind.
// 2. Batches of pending tasks are sent, and only then marked `in_queue_original`. A crash between the two sends a batch
//    twice: its tasks may run twice, and the DB keeps one result. The other order could lose them.
import { renameSync } from 'node:fs'
import { UserError } from '../core/errors.ts'
import type { Task } from '../core/task.ts'
import { type OutgoingMessage, type Queue, SendError } from '../infra/provider.ts'
import { foldIntoOneFile, type JobDb, openJobDb, removeJobDbFiles } from './job-db.ts'
import type { JobFacts } from './job-db-facts.ts'
import { totalCount } from './job-db-status.ts'
import type { PendingBatch, PendingTask } from './job-db-tasks.ts'

export type TaskBatches = AsyncIterable<readonly Task[]>

export interface LoadProgress {
  readonly insertedCount: number
  readonly sentCount: number
}

interface Reporting {
  readonly onProgress?: (progress: LoadProgress) => void
  readonly signal?: AbortSignal
}

export interface InsertOptions extends Reporting {
  readonly batches: TaskBatches
  readonly db: JobDb
  readonly maxBodyBytes: number
}

export interface SendOptions extends Reporting {
  readonly db: JobDb
  readonly queue: Queue
  /** Longest delay the provider knows: a task with a later `not_before` is delivered early and handed back by the agent. */
  readonly maxDelaySeconds?: number
}

export interface LoadReport {
  /** Tasks in the DB. */
  readonly loadedCount: number
  /** Sent by this call. */
  readonly sentCount: number
}

/** Both steps on a new DB. When the tasks are wrong, the DB is removed and nothing is sent. */
export async function loadTasks(options: InsertOptions & SendOptions): Promise<LoadReport> {
  try {
    await insertTasks(options)
  } catch (error) {
    options.db.discard()
    throw error
  }
  return sendPending(options)
}

export interface BuildJobDbOptions extends Omit<InsertOptions, 'db'> {
  readonly file: string
  readonly job: JobFacts
  /** What may still be refused, when all tasks are right and nothing has been replaced. Gets the new DB. */
  readonly beforeSwap?: (db: JobDb) => Promise<void>
}

/**
 * Step 1 beside an existing DB, which gives way only when all tasks are in the new one: until then, and after any error,
 * the old one is as it was. Returns the new DB, open; `sendPending` or `resumeLoading` goes on.
 */
export async function buildJobDb({ file, job, beforeSwap, ...options }: BuildJobDbOptions): Promise<JobDb> {
  const building = `${file}.loading`
  removeJobDbFiles(building) // of a load that was killed
  const db = openJobDb(building, { mode: 'create' })
  try {
    db.saveJob(job)
    await insertTasks({ ...options, db })
    await beforeSwap?.(db)
  } catch (error) {
    db.discard()
    throw error
  }
  db.close() // the last handle: all is in the one file now
  // The old DB becomes one file too, because its leftover -wal beside the new file would be taken for the new one's. Then
  // one rename decides: killed before it, the old job is there; after it, the new one.
  foldIntoOneFile(file)
  renameSync(building, file)
  return openJobDb(file, { mode: 'existing' })
}

/** Step 1. `skipCount` tasks of the batches are in the DB already, from a load that was killed. */
export async function insertTasks(options: InsertOptions & { readonly skipCount?: number }): Promise<void> {
  const { batches, db, maxBodyBytes, onProgress, signal, skipCount = 0 } = options
  let readCount = 0
  db.saveJob({ loadState: 'inserting' })
  for await (const batch of batches) {
    signal?.throwIfAborted()
    const fresh = batch.slice(Math.min(batch.length, Math.max(0, skipCount - readCount)))
    readCount += batch.length
    if (fresh.length === 0) continue
    db.insertPending(fresh, { maxBodyBytes })
    onProgress?.({ insertedCount: readCount, sentCount: 0 })
  }
  db.saveJob({ loadState: 'sending' })
}

// Far fewer round trips than tasks; small enough that a crash repeats little.
const SEND_BATCH = 1000
/** Of the cloud with the shortest (SQS). */
const SHORTEST_MAX_DELAY_SECONDS = 900

/** Step 2: sends what is pending. Safe to repeat. */
export async function sendPending(options: SendOptions): Promise<LoadReport> {
  const { db, onProgress, signal } = options
  const loadedCount = totalCount(db.counts())
  let sentCount = 0
  for (const batch of db.pendingBatches({ maxCount: SEND_BATCH })) {
    signal?.throwIfAborted()
    await sendBatch(batch, options)
    sentCount += batch.tasks.length
    onProgress?.({ insertedCount: loadedCount, sentCount })
  }
  db.saveJob({ loadState: 'loaded' })
  return { loadedCount, sentCount }
}

async function sendBatch(batch: PendingBatch, { db, queue, maxDelaySeconds }: SendOptions): Promise<void> {
  const now = new Date()
  const messages = batch.tasks.map(task => messageOf(task, now, maxDelaySeconds ?? SHORTEST_MAX_DELAY_SECONDS))
  try {
    await queue.send(messages) // first sent, then marked: see above
  } catch (error) {
    if (!(error instanceof SendError)) throw error
    const unsent = new Set(error.unsent)
    const sent = batch.tasks.filter((_, index) => !unsent.has(index))
    db.markQueued(batch, now, sent)
    throw new UserError(
      `${unsent.size} tasks were not accepted by queue ${queue.name} (${error.message}). They are still pending: continue the load.`,
      { cause: error },
    )
  }
  db.markQueued(batch, now)
}

function messageOf(
  { taskId, body, priority, notBeforeAt }: PendingTask,
  now: Date,
  maxDelaySeconds: number,
): OutgoingMessage {
  if (priority === undefined && notBeforeAt === undefined) return { body, taskId }
  const delaySeconds = notBeforeAt === undefined ? 0 : (notBeforeAt.getTime() - now.getTime()) / 1000
  return {
    body,
    taskId,
    ...(priority === undefined ? undefined : { priority }),
    ...(delaySeconds > 0 ? { delaySeconds: Math.min(delaySeconds, maxDelaySeconds) } : undefined),
  }
}

export interface ResumeOptions extends SendOptions {
  /** The same file with the same skip and limit; needed only if the load was killed while it still read it. */
  readonly batches?: TaskBatches
  readonly maxBodyBytes?: number
}

/** Goes on where a killed load stopped: inserts the rest of the file, then sends what is pending. */
export async function resumeLoading({ batches, maxBodyBytes, ...options }: ResumeOptions): Promise<LoadReport> {
  const { db } = options
  if (db.job().loadState === 'inserting') {
    if (batches === undefined || maxBodyBytes === undefined) {
      throw new UserError(
        `Job database ${db.file} holds only the first ${totalCount(db.counts())} tasks of its file, because loading was stopped. Give the task file again.`,
      )
    }
    await insertTasks({ ...options, batches, maxBodyBytes, skipCount: totalCount(db.counts()) })
  }
  return sendPending(options)
}
