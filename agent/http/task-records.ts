// What this server knows of tasks, in a SQLite file: those added, claimed or ended through it. It makes claims survive a
// restart; the tasks themselves are in the queue. One transaction a batch of requests.
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { messageOf, UserError } from '../../core/errors.ts'
import type { Receipt } from '../../core/ids.ts'

export type TaskStatus = 'pending' | 'claimed' | 'completed' | 'failed'

export interface TaskRecord {
  /** Grows with every new task; what pages are cut by. */
  readonly seq: number
  readonly id: string
  readonly status: TaskStatus
  /** The task message. */
  readonly body: string
  readonly createdAtMs: number | undefined
  /** Of the last claim. */
  readonly claim: ClaimRecord | undefined
  readonly finishedAtMs: number | undefined
  /** JSON; undefined also if it was too long to keep. */
  readonly result: string | undefined
  readonly error: string | undefined
}

export interface ClaimRecord {
  readonly claimId: string
  readonly user: string
  readonly workerId: string
  readonly claimedAtMs: number
  readonly leaseSeconds: number
  readonly leaseEndsMs: number
  readonly receipt: Receipt
  readonly deliveryCount: number
  /** JSON. */
  readonly checkpoint: string | undefined
}

export interface NewRecord {
  readonly id: string
  readonly body: string
  readonly createdAtMs: number | undefined
}

export interface EndRecord {
  readonly id: string
  /** Nothing happens if another claim has come since. */
  readonly claimId: string
  readonly status: Exclude<TaskStatus, 'claimed'>
  readonly result?: string | undefined
  readonly error?: string | undefined
}

export interface TaskRecords {
  /** Leaves records of unfinished tasks as they are: somebody may have claimed the task meanwhile. */
  add(tasks: readonly NewRecord[]): void
  claim(tasks: readonly (NewRecord & { readonly claim: ClaimRecord })[]): void
  /** The lease's end and the checkpoint of live claims. */
  prolong(tasks: readonly { readonly id: string; readonly claim: ClaimRecord }[]): void
  end(tasks: readonly EndRecord[]): void
  find(id: string): TaskRecord | undefined
  /** Newest first. */
  page(options: {
    readonly before: number
    readonly limit: number
    readonly status?: TaskStatus
  }): readonly TaskRecord[]
  /** Claims whose lease had not ended when the server did. */
  live(): readonly TaskRecord[]
  close(): void
}

const KEPT_RECORDS = 100_000
const PRUNE_EVERY = 5_000 // new records
const KEPT_RESULT_CHARS = 64 * 1024 // longer results are in the events only

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS server (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), queue TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS tasks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, status TEXT NOT NULL, body TEXT NOT NULL,
    created_ms INTEGER, finished_ms INTEGER, result TEXT, error TEXT,
    claim_id TEXT, user TEXT, worker_id TEXT, claimed_ms INTEGER, lease_seconds REAL, lease_ends_ms INTEGER,
    receipt TEXT, delivery_count INTEGER, checkpoint TEXT);
`
const CLAIM_COLUMNS = `claim_id, user, worker_id, claimed_ms, lease_seconds, lease_ends_ms, receipt, delivery_count, checkpoint`
const SQL = {
  add: `INSERT INTO tasks (id, status, body, created_ms) VALUES (?, 'pending', ?, ?)
        ON CONFLICT (id) DO UPDATE SET status = 'pending', body = excluded.body, created_ms = excluded.created_ms,
          finished_ms = NULL, result = NULL, error = NULL, claim_id = NULL
        WHERE finished_ms < excluded.created_ms`,
  claim: `INSERT INTO tasks (id, status, body, created_ms, ${CLAIM_COLUMNS})
          VALUES (?, 'claimed', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          ON CONFLICT (id) DO UPDATE SET status = 'claimed', body = excluded.body, finished_ms = NULL, result = NULL,
            error = NULL, created_ms = coalesce(excluded.created_ms, created_ms), claim_id = excluded.claim_id,
            user = excluded.user, worker_id = excluded.worker_id, claimed_ms = excluded.claimed_ms,
            lease_seconds = excluded.lease_seconds, lease_ends_ms = excluded.lease_ends_ms, receipt = excluded.receipt,
            delivery_count = excluded.delivery_count, checkpoint = excluded.checkpoint`,
  prolong: `UPDATE tasks SET lease_seconds = ?, lease_ends_ms = ?, checkpoint = ? WHERE id = ? AND claim_id = ?`,
  end: `UPDATE tasks SET status = ?, finished_ms = ?, result = ?, error = ? WHERE id = ? AND claim_id = ?`,
  find: 'SELECT * FROM tasks WHERE id = ?',
  page: 'SELECT * FROM tasks WHERE seq < ? ORDER BY seq DESC LIMIT ?',
  pageOf: 'SELECT * FROM tasks WHERE seq < ? AND status = ? ORDER BY seq DESC LIMIT ?',
  live: `SELECT * FROM tasks WHERE status = 'claimed' AND lease_ends_ms > ? ORDER BY seq`,
  prune: `DELETE FROM tasks WHERE seq <= (SELECT max(seq) FROM tasks) - ${KEPT_RECORDS}
          AND NOT (status = 'claimed' AND lease_ends_ms > ?)`,
} as const

export function openTaskRecords(file: string, queueName: string): TaskRecords {
  const db = openFile(file, queueName)
  const statements = Object.fromEntries(Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)])) as Record<
    keyof typeof SQL,
    ReturnType<DatabaseSync['prepare']>
  >
  let untilPrune = PRUNE_EVERY
  let closed = false

  return {
    add: tasks =>
      transaction(() => {
        for (const { id, body, createdAtMs } of tasks) statements.add.run(id, body, createdAtMs ?? null)
        prune(tasks.length)
      }),
    claim: tasks =>
      transaction(() => {
        for (const { id, body, createdAtMs, claim } of tasks)
          statements.claim.run(id, body, createdAtMs ?? null, ...claimValues(claim))
        prune(tasks.length)
      }),
    prolong: tasks =>
      transaction(() => {
        for (const { id, claim } of tasks)
          statements.prolong.run(claim.leaseSeconds, claim.leaseEndsMs, claim.checkpoint ?? null, id, claim.claimId)
      }),
    end: tasks =>
      transaction(() => {
        const nowMs = Date.now()
        for (const { id, claimId, status, result, error } of tasks) {
          const kept = result !== undefined && result.length <= KEPT_RESULT_CHARS ? result : null
          const finishedMs = status === 'pending' ? null : nowMs
          statements.end.run(status, finishedMs, kept, error?.slice(0, KEPT_RESULT_CHARS) ?? null, id, claimId)
        }
      }),
    find: id => parsed(statements.find.get(id)),
    page: ({ before, limit, status }) =>
      (status === undefined
        ? statements.page.all(before, limit)
        : statements.pageOf.all(before, status, limit)
      ).flatMap(row => parsed(row) ?? []),
    live: () => statements.live.all(Date.now()).flatMap(row => parsed(row) ?? []),
    close() {
      if (!closed) db.close()
      closed = true
    },
  }

  function transaction(work: () => void): void {
    db.exec('BEGIN IMMEDIATE')
    try {
      work()
      db.exec('COMMIT')
    } catch (error) {
      db.exec('ROLLBACK')
      throw error
    }
  }

  function prune(added: number): void {
    untilPrune -= added
    if (untilPrune > 0) return
    untilPrune = PRUNE_EVERY
    statements.prune.run(Date.now())
  }
}

/** Locks the file: two servers with one memory of claims would contradict each other. The lock ends with the process. */
function openFile(file: string, queueName: string): DatabaseSync {
  let db: DatabaseSync
  try {
    mkdirSync(dirname(file), { recursive: true })
    db = new DatabaseSync(file)
    // NORMAL: what a killed process has committed is there; a power cut may lose the last claims, whose leases then end.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    db.exec(SCHEMA)
    db.prepare('INSERT OR IGNORE INTO server VALUES (1, ?)').run(queueName)
  } catch (error) {
    const why = /locked|busy/i.test(messageOf(error)) ? 'another server uses it' : messageOf(error)
    throw new UserError(`State file ${file} cannot be opened: ${why}. Give another one with --state-file.`, {
      cause: error,
    })
  }
  const other = db.prepare('SELECT queue FROM server').get()?.queue
  if (other !== queueName) {
    db.close()
    throw new UserError(
      `State file ${file} belongs to queue "${other}", not "${queueName}": give another --state-file.`,
    )
  }
  return db
}

function claimValues(claim: ClaimRecord): SQLInputValue[] {
  const { claimId, user, workerId, claimedAtMs, leaseSeconds, leaseEndsMs, receipt, deliveryCount, checkpoint } = claim
  return [claimId, user, workerId, claimedAtMs, leaseSeconds, leaseEndsMs, receipt, deliveryCount, checkpoint ?? null]
}

/** Rows are written by this file only. */
interface Row {
  readonly seq: number
  readonly id: string
  readonly status: TaskStatus
  readonly body: string
  readonly created_ms: number | null
  readonly finished_ms: number | null
  readonly result: string | null
  readonly error: string | null
  readonly claim_id: string | null
  readonly user: string
  readonly worker_id: string
  readonly claimed_ms: number
  readonly lease_seconds: number
  readonly lease_ends_ms: number
  readonly receipt: Receipt
  readonly delivery_count: number
  readonly checkpoint: string | null
}

function parsed(found: unknown): TaskRecord | undefined {
  if (found === undefined) return undefined
  const row = found as Row
  const claim: ClaimRecord | undefined =
    row.claim_id === null
      ? undefined
      : {
          claimId: row.claim_id,
          user: row.user,
          workerId: row.worker_id,
          claimedAtMs: row.claimed_ms,
          leaseSeconds: row.lease_seconds,
          leaseEndsMs: row.lease_ends_ms,
          receipt: row.receipt,
          deliveryCount: row.delivery_count,
          checkpoint: row.checkpoint ?? undefined,
        }
  // A claim whose lease has ended is one no more, whether or not anybody has noticed.
  const over = row.status === 'claimed' && row.lease_ends_ms <= Date.now()
  return {
    seq: row.seq,
    id: row.id,
    status: over ? 'pending' : row.status,
    body: row.body,
    createdAtMs: row.created_ms ?? undefined,
    claim,
    finishedAtMs: row.finished_ms ?? undefined,
    result: row.result ?? undefined,
    error: row.error ?? undefined,
  }
}
