// The tables of the bare programs: two queues and a job DB without leases, fences, indices or versions.
import { DatabaseSync } from 'node:sqlite'

export const BATCH = 1000

export function openQueues(folder: string): DatabaseSync {
  const db = open(`${folder}/queues.sqlite`)
  db.exec('CREATE TABLE IF NOT EXISTS tasks (id INTEGER PRIMARY KEY, body TEXT NOT NULL)')
  return db
}

/** A file of its own, because the agent writes it while the collector deletes from it. */
export function openEvents(folder: string): DatabaseSync {
  const db = open(`${folder}/events.sqlite`)
  db.exec('CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, body TEXT NOT NULL)')
  return db
}

export function openJob(folder: string): DatabaseSync {
  const db = open(`${folder}/job.sqlite`)
  db.exec(
    `CREATE TABLE IF NOT EXISTS tasks (task_id TEXT PRIMARY KEY, data TEXT NOT NULL, status TEXT, result TEXT);
     CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, task_id TEXT, body TEXT)`,
  )
  return db
}

export function inTransaction(db: DatabaseSync, work: () => void): void {
  db.exec('BEGIN IMMEDIATE')
  work()
  db.exec('COMMIT')
}

function open(file: string): DatabaseSync {
  const db = new DatabaseSync(file)
  db.exec('PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
  return db
}
