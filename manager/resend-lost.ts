// Finds tasks that are in no queue and in nobody's hands any more (a purged or deleted queue), and sends them again.
import type { DatabaseSync } from 'node:sqlite'
import { PRIORITIES } from '../core/task.ts'
import type { OutgoingMessage, Queue, QueueDepth } from '../infra/provider.ts'
import type { JobDb } from './job-db.ts'
import { type TaskStatus, UNFINISHED_STATUSES } from './job-db-status.ts'

export interface ResendOptions {
  readonly db: JobDb
  readonly tasks: Queue
  readonly events: Queue
  /** Nobody is sending what is pending, so that its presence proves nothing. */
  readonly nobodyLoads?: boolean
}

const BATCH = 1000

/**
 * Sends nothing unless loss is certain, so it may be called at any time and be killed anywhere. Returns how many were sent.
 *
 * The order of looking is what makes it certain: agents send a successor or an event before they give up the message it
 * follows. So if the task queue is empty, and after that the event queue is, every outcome there will ever be is in the DB.
 */
export async function resendLost({ db, tasks, events, nobodyLoads }: ResendOptions): Promise<number> {
  if (!isEmpty(await tasks.admin.depth()) || !isEmpty(await events.admin.depth())) return 0
  const { pending } = db.counts()
  if (db.unfinishedCount() === pending || (pending > 0 && nobodyLoads !== true)) return 0
  let sentCount = 0
  const statuses = UNFINISHED_STATUSES.filter(status => status !== 'pending')
  for (const messages of storedMessages(db.sqlite, statuses)) {
    await tasks.send(messages)
    sentCount += messages.length
  }
  return sentCount
}

/** A queue that does not exist is empty; an estimate proves nothing. */
function isEmpty(depth: QueueDepth | undefined): boolean {
  return depth === undefined || (!depth.estimated && depth.ready + depth.leased + depth.delayed === 0)
}

/** Tasks as messages of their next attempt, from their rows, batch after batch; a batch may be changed once it was yielded. */
export function* storedMessages(
  sqlite: DatabaseSync,
  statuses: readonly TaskStatus[],
  { newBudget = false }: { readonly newBudget?: boolean } = {},
): Generator<OutgoingMessage[]> {
  const select = sqlite.prepare(`
    SELECT rowid, task_id, task_data, attempt, priority, type FROM tasks
    WHERE rowid > ? AND status IN (SELECT value FROM json_each(?)) ORDER BY rowid LIMIT ${BATCH}`)
  for (let afterRow = 0; ; ) {
    const rows = select.all(afterRow, JSON.stringify(statuses))
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows.map(row => messageOf(row, newBudget))
    afterRow = Number(last.rowid)
  }
}

/** The next attempt after the one the DB shows: an event of an earlier attempt would not count any more. */
function messageOf(row: Record<string, unknown>, newBudget: boolean): OutgoingMessage {
  const taskId = String(row.task_id)
  const priority = PRIORITIES.find(known => known === row.priority)
  const attempt = typeof row.attempt === 'number' ? row.attempt : 0
  const extra = {
    ...(typeof row.type === 'string' ? { type: row.type } : undefined),
    ...(priority === undefined ? undefined : { priority }),
    ...(attempt > 0 ? { attempt: attempt + 1 } : undefined),
    ...(attempt > 0 && !newBudget ? { failures: attempt } : undefined),
  }
  const rest = JSON.stringify(extra)
  // The data goes as it is stored: numbers too long for JavaScript stay as they are.
  const body = `{"task_id":${JSON.stringify(taskId)},"data":${String(row.task_data)}${rest === '{}' ? '}' : `,${rest.slice(1)}`}`
  return { body, taskId, ...(priority === undefined ? undefined : { priority }) }
}
