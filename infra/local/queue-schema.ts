// The tables of a queue file and every statement on them. A message is in exactly one of the three tables.
//
//              send                    receive                  ack
//   (nothing) ──────► ready ──────────────────────► leased ─────────► (nothing)
//      │                ▲  ▲  lease ended, release     │
//      │ send with      │  └──────────────────────────┤
//      │ a delay        │ due                          │ release with a delay
//      └────────────► delayed ◄───────────────────────┘
//
// An id is lane · 2^48 + sequence, so the order of row ids is "high priority first, then first in, first out" and needs no
// second index. A redelivered message keeps its id and with it its place at the front.

import type { SqliteFormat } from './sqlite-file.ts'

export const NEVER_MS = Number.MAX_SAFE_INTEGER
const LANE_SIZE = 2 ** 48 // three lanes stay exact below 2^53, and no queue ever sees 2^48 messages
export const LANES = { high: 0, normal: LANE_SIZE, low: 2 * LANE_SIZE } as const

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS ready (
    id INTEGER PRIMARY KEY, delivery_count INTEGER NOT NULL, body TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS leased (
    id INTEGER PRIMARY KEY, token INTEGER NOT NULL, ends_ms INTEGER NOT NULL, delivery_count INTEGER NOT NULL, body TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS delayed (
    id INTEGER PRIMARY KEY, due_ms INTEGER NOT NULL, delivery_count INTEGER NOT NULL, body TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS delayed_by_due ON delayed(due_ms);
  -- One row. The counts make the depth of ten million messages cost nothing; next_check_ms is never later than the first
  -- instant at which a lease ends or a delayed message is due.
  CREATE TABLE IF NOT EXISTS state (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1), removed INTEGER NOT NULL, next_sequence INTEGER NOT NULL,
    next_token INTEGER NOT NULL, ready INTEGER NOT NULL, leased INTEGER NOT NULL, delayed INTEGER NOT NULL,
    next_check_ms INTEGER NOT NULL);
  -- Tokens start at random (below 2^44): a receipt of a deleted file never fits the one that took its place.
  INSERT OR IGNORE INTO state VALUES (1, 0, 1, abs(random() % 17592186044416), 0, 0, 0, ${NEVER_MS});
`

export const QUEUE_FORMAT: SqliteFormat = {
  title: 'Queue file',
  version: 1,
  schema: SCHEMA,
  ifDamaged: 'Delete it, and send again what is not done with "load_queue --continue".',
}

const OWN = 'token = ? AND ends_ms > ?' // a receipt is good while its lease lasts, even if nobody else has come since

export const SQL = {
  state: 'SELECT removed, next_sequence, next_token, ready, leased, delayed, next_check_ms FROM state',
  add: `UPDATE state SET ready = ready + ?, leased = leased + ?, delayed = delayed + ?, next_check_ms = min(next_check_ms, ?),
        next_sequence = next_sequence + ?, next_token = next_token + ?`,
  nextCheck: 'UPDATE state SET next_check_ms = ?',
  revive: 'UPDATE state SET removed = 0',
  empty: `UPDATE state SET removed = ?, ready = 0, leased = 0, delayed = 0, next_check_ms = ${NEVER_MS}`,

  delay: 'INSERT INTO delayed (id, due_ms, delivery_count, body) VALUES (?, ?, 0, ?)',
  front: 'SELECT id, delivery_count + 1, body FROM ready WHERE id > ? ORDER BY id LIMIT ?',
  lease: `INSERT INTO leased (id, token, ends_ms, delivery_count, body)
          SELECT id, ?, ?, delivery_count + 1, body FROM ready WHERE id BETWEEN ? AND ?`,
  leaseDone: 'DELETE FROM ready WHERE id BETWEEN ? AND ?',

  firstDelay: 'SELECT min(due_ms) FROM delayed',
  due: 'INSERT INTO ready (id, delivery_count, body) SELECT id, delivery_count, body FROM delayed WHERE due_ms <= ?',
  dueDone: 'DELETE FROM delayed WHERE due_ms <= ?',
  firstLeaseEnd: 'SELECT min(ends_ms) FROM leased',
  ended: 'INSERT INTO ready (id, delivery_count, body) SELECT id, delivery_count, body FROM leased WHERE ends_ms <= ?',
  endedDone: 'DELETE FROM leased WHERE ends_ms <= ?',

  ack: `DELETE FROM leased WHERE id BETWEEN ? AND ? AND ${OWN}`,
  renew: `UPDATE leased SET ends_ms = ? WHERE id BETWEEN ? AND ? AND ${OWN}`,
  // A release takes back what the receive counted.
  releaseNow: `INSERT INTO ready (id, delivery_count, body)
               SELECT id, delivery_count - 1, body FROM leased WHERE id BETWEEN ? AND ? AND ${OWN}`,
  releaseLater: `INSERT INTO delayed (id, due_ms, delivery_count, body)
                 SELECT id, ?, delivery_count - 1, body FROM leased WHERE id BETWEEN ? AND ? AND ${OWN}`,
  purge: 'DELETE FROM ready; DELETE FROM leased; DELETE FROM delayed',
} as const

/** Many rows a statement: half the cost of one statement a row. */
export const ROWS_PER_INSERT = 100

export const INSERT_ONE = insertReady(1)
export const INSERT_MANY = insertReady(ROWS_PER_INSERT)

function insertReady(rowCount: number): string {
  return `INSERT INTO ready (id, delivery_count, body) VALUES ${Array(rowCount).fill('(?, 0, ?)').join(', ')}`
}
