// Puts tasks that failed for good back into the queue: with new budgets, their checkpoints kept, their rows reset.

import { PRIORITIES } from '../core/task.ts'
import type { Delivery, OutgoingMessage, Queue } from '../infra/provider.ts'
import type { JobDb } from './job-db.ts'
import type { TaskStatus } from './job-db-status.ts'
import { storedMessages } from './resend-lost.ts'

export interface RequeueOptions {
  readonly db: JobDb
  readonly tasks: Queue
  readonly dead: Queue
  /** Rows that go back too when there is no letter of them. */
  readonly statuses: readonly TaskStatus[]
}

export interface RequeueReport {
  readonly letterCount: number
  /** Sent from their rows. */
  readonly rowCount: number
  /** Letters that are no task message; they stay. */
  readonly unreadableCount: number
}

const BATCH = 1000
const LOOK_SECONDS = 1 // SQS that is asked not to wait looks into some of its servers only, and may miss letters

/**
 * Order: send, then reset the rows, then remove the letters. Killed in between, the next call sends the same again: a task
 * may run twice, none is lost. The new attempt's number is above all earlier ones, so that its event counts.
 */
export async function requeueFailed({ db, tasks, dead, statuses }: RequeueOptions): Promise<RequeueReport> {
  let letterCount = 0
  let unreadableCount = 0
  for (;;) {
    const letters = await dead.receive({ maxMessages: BATCH, waitSeconds: LOOK_SECONDS })
    if (letters.length === 0) break
    const readable = letters.flatMap(letter => revive(db, letter))
    await tasks.send(readable.map(({ message }) => message))
    db.resetTasks(readable.map(({ taskId }) => taskId))
    await dead.ack(readable.map(({ letter }) => letter.receipt))
    letterCount += readable.length
    unreadableCount += letters.length - readable.length
  }
  const depth = await dead.admin.depth()
  const inOtherHands = depth !== undefined && depth.leased - unreadableCount > 0
  return { letterCount, unreadableCount, rowCount: inOtherHands ? 0 : await requeueRows({ db, tasks, statuses }) }
}

async function requeueRows({ db, tasks, statuses }: Omit<RequeueOptions, 'dead'>): Promise<number> {
  let count = 0
  for (const messages of storedMessages(db.sqlite, statuses, { newBudget: true })) {
    await tasks.send(messages)
    db.resetTasks(messages.map(({ taskId = '' }) => taskId))
    count += messages.length
  }
  return count
}

interface Revived {
  readonly taskId: string
  readonly message: OutgoingMessage
  readonly letter: Delivery
}

/** By SQLite, which leaves the rest of the text as it is: numbers too long for JavaScript among it. */
function revive({ sqlite }: JobDb, letter: Delivery): Revived[] {
  const row = sqlite
    .prepare(
      `SELECT json_extract(?1, '$.task_id') AS task_id, json_extract(?1, '$.priority') AS priority,
         json_remove(json_set(?1, '$.attempt', 1 + max(coalesce(json_extract(?1, '$.attempt'), 1),
           coalesce((SELECT attempt FROM tasks WHERE task_id = json_extract(?1, '$.task_id')), 0))),
           '$.failures', '$.preemptions', '$.not_before') AS body
       WHERE iif(json_valid(?1), json_type(?1, '$.task_id') = 'text' AND json_type(?1, '$.data') = 'object', 0)`,
    )
    .get(letter.body)
  if (row === undefined) return []
  const taskId = String(row.task_id)
  const priority = PRIORITIES.find(known => known === row.priority)
  const message = { body: String(row.body), taskId, ...(priority === undefined ? undefined : { priority }) }
  return [{ taskId, message, letter }]
}
