// The moves of messages between the tables of a queue file. Each function runs inside the caller's transaction.
import { systemClock } from '../../core/clock.ts'
import type { Delivery, OutgoingMessage } from '../provider.ts'
import { receiptOf } from './lease-run.ts'
import { LOCAL_LIMITS } from './limits.ts'
import { INSERT_MANY, INSERT_ONE, LANES, NEVER_MS, ROWS_PER_INSERT, SQL } from './queue-schema.ts'
import type { SqliteFile } from './sqlite-file.ts'

const EARLIEST_CHECK_MS = 20 // looking for ended leases reads all leased rows: not more often than this
const RECEIVE_CHARACTERS = 16_000_000 // of bodies in one receive, so that ten thousand big ones do not fill the memory
const FIRST_PIECE = 32 // rows
const LONGEST_PIECE = 1000

interface State {
  readonly removed: boolean
  readonly nextSequence: number
  readonly nextToken: number
  readonly ready: number
  readonly leased: number
  readonly delayed: number
  readonly nextCheckMs: number
}

export function readState(file: SqliteFile): State {
  const row = parseRow(file.prepare(SQL.state).get())
  const at = (column: number) => Number(row[column])
  return {
    removed: at(0) === 1,
    nextSequence: at(1),
    nextToken: at(2),
    ready: at(3),
    leased: at(4),
    delayed: at(5),
    nextCheckMs: at(6),
  }
}

interface StateChange {
  readonly ready?: number
  readonly leased?: number
  readonly delayed?: number
  readonly checkAtMs?: number
  readonly sequences?: number
  readonly tokens?: number
}

export function add(file: SqliteFile, change: StateChange): void {
  const { ready = 0, leased = 0, delayed = 0, checkAtMs = NEVER_MS, sequences = 0, tokens = 0 } = change
  file.prepare(SQL.add).run(ready, leased, delayed, checkAtMs, sequences, tokens)
}

export function revive(file: SqliteFile): void {
  if (readState(file).removed) file.prepare(SQL.revive).run()
}

export function insert(file: SqliteFile, messages: readonly OutgoingMessage[], indexes: readonly number[]): void {
  const state = readState(file)
  if (state.removed) file.prepare(SQL.revive).run()
  const nowMs = systemClock.now()
  let sequence = state.nextSequence
  let delayed = 0
  let checkAtMs = NEVER_MS
  let values: (number | string)[] = []
  for (const index of indexes) {
    const message = messages[index]
    if (message === undefined) continue
    const id = LANES[message.priority ?? 'normal'] + sequence++
    const delaySeconds = Math.min(message.delaySeconds ?? 0, LOCAL_LIMITS.maxDelaySeconds)
    if (delaySeconds > 0) {
      const dueMs = nowMs + Math.round(delaySeconds * 1000)
      file.prepare(SQL.delay).run(id, dueMs, message.body)
      delayed++
      checkAtMs = Math.min(checkAtMs, dueMs)
    } else if (values.push(id, message.body) === 2 * ROWS_PER_INSERT) {
      file.prepare(INSERT_MANY).run(...values)
      values = []
    }
  }
  for (let at = 0; at < values.length; at += 2) file.prepare(INSERT_ONE).run(...values.slice(at, at + 2))
  add(file, { ready: indexes.length - delayed, delayed, checkAtMs, sequences: indexes.length })
}

export function takeFront(file: SqliteFile, limit: number, leaseMs: number): readonly Delivery[] {
  const nowMs = systemClock.now()
  promote(file, nowMs)
  const state = readState(file)
  if (state.removed) return []
  const { deliveries, first, last } = readFront(file, limit, state.nextToken)
  if (deliveries.length === 0) return deliveries
  const endsMs = nowMs + leaseMs
  // We hold the write lock, so the rows between the first and the last are exactly those that we read.
  file.prepare(SQL.lease).run(state.nextToken, endsMs, first, last)
  file.prepare(SQL.leaseDone).run(first, last)
  add(file, { ready: -deliveries.length, leased: deliveries.length, checkAtMs: endsMs, tokens: 1 })
  return deliveries
}

interface Front {
  readonly deliveries: readonly Delivery[]
  readonly first: number
  readonly last: number
}

/** By pieces, each as long as the bodies seen so far allow: row by row would take twice as long. */
function readFront(file: SqliteFile, limit: number, token: number): Front {
  const deliveries: Delivery[] = []
  let characters = 0
  let first = 0
  let last = -1
  let piece = FIRST_PIECE
  while (deliveries.length < limit && characters < RECEIVE_CHARACTERS) {
    const wanted = Math.min(piece, limit - deliveries.length)
    const rows = file.prepare(SQL.front).all(last, wanted)
    for (const row of rows) {
      const columns = parseRow(row)
      const id = Number(columns[0])
      const body = String(columns[2])
      if (deliveries.length === 0) first = id
      last = id
      deliveries.push({ body, receipt: receiptOf(id, token), deliveryCount: Number(columns[1]) })
      characters += body.length
    }
    if (rows.length < wanted) break
    const averageCharacters = 1 + characters / deliveries.length
    piece = Math.min(LONGEST_PIECE, Math.ceil((RECEIVE_CHARACTERS - characters) / averageCharacters))
  }
  return { deliveries, first, last }
}

/** Makes ready what is due and what was leased by somebody who went silent. Any process does it, whenever it comes by. */
export function promote(file: SqliteFile, nowMs: number): void {
  if (readState(file).nextCheckMs > nowMs) return
  const due = Number(file.prepare(SQL.due).run(nowMs).changes)
  if (due > 0) file.prepare(SQL.dueDone).run(nowMs)
  const ended = Number(file.prepare(SQL.ended).run(nowMs).changes)
  if (ended > 0) file.prepare(SQL.endedDone).run(nowMs)
  add(file, { ready: due + ended, leased: -ended, delayed: -due })
  const nextMs = Math.min(instant(file, SQL.firstDelay), instant(file, SQL.firstLeaseEnd))
  file.prepare(SQL.nextCheck).run(Math.max(nextMs, nowMs + EARLIEST_CHECK_MS))
}

function instant(file: SqliteFile, sql: string): number {
  const [ms] = parseRow(file.prepare(sql).get())
  return ms === null ? NEVER_MS : Number(ms)
}

/** Statements of a queue file answer arrays; the type declarations of node:sqlite do not know it. */
function parseRow(row: unknown): readonly unknown[] {
  if (!Array.isArray(row)) throw new Error('A queue file lost its state row. Delete the file and load the tasks again.')
  return row
}
