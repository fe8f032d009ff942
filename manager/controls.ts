// What people ask of a running manager, as rows of the job DB: the dashboard writes them, the manager carries them out.
//
// A row is settled only after it has taken effect. A manager that is killed in between leaves it open, and whoever runs the
// job next decides: limits still hold then; a pause, a stop or a requeueing was asked of a manager that is gone.
import type { DatabaseSync } from 'node:sqlite'
import type { PoolLimits } from '../core/job-config.ts'
import { hasTable } from './job-db-open.ts'
import { renderTimestamp } from './timestamps.ts'

export const CONTROL_ACTIONS = ['pause', 'resume', 'stop', 'requeue', 'limits'] as const
export type ControlActionName = (typeof CONTROL_ACTIONS)[number]

export interface PoolLimitChange {
  readonly maxInstances?: number
  readonly maxTotalCostUsd?: number
}

/** What holds for the pool by order of people. */
export interface PoolOrders {
  /** No VM shall run. */
  readonly paused: boolean
  readonly limits: PoolLimitChange
}

export function withLimits<Config extends { readonly pool: PoolLimits }>(
  config: Config,
  limits: PoolLimitChange | undefined,
): Config {
  return limits === undefined ? config : { ...config, pool: { ...config.pool, ...limits } }
}

export interface ControlOrder {
  readonly id: number
  readonly action: ControlActionName
  /** Of `limits`. */
  readonly limits: PoolLimitChange
}

export interface ControlsState {
  readonly paused: boolean
  /** In force; empty if nobody changed any. */
  readonly limits: PoolLimitChange
  /** Oldest first. */
  readonly pending: readonly ControlActionName[]
  /** The last order, if it could not be carried out. */
  readonly failed: { readonly action: ControlActionName; readonly error: string; readonly at: string } | undefined
}

export function requestControl(
  sqlite: DatabaseSync,
  { action, limits = {} }: { readonly action: ControlActionName; readonly limits?: PoolLimitChange },
  now: Date,
): void {
  sqlite
    .prepare('INSERT INTO controls (at, action, max_instances, max_total_cost) VALUES (?, ?, ?, ?)')
    .run(renderTimestamp(now), action, limits.maxInstances ?? null, limits.maxTotalCostUsd ?? null)
}

export function readControls(sqlite: DatabaseSync): ControlsState {
  if (!hasTable(sqlite, 'controls')) return { paused: false, limits: {}, pending: [], failed: undefined }
  const last = sqlite.prepare('SELECT action, error, done_at FROM controls ORDER BY id DESC LIMIT 1').get()
  const failed =
    typeof last?.error === 'string'
      ? { action: actionOf(last.action), error: last.error, at: new Date(String(last.done_at)).toISOString() }
      : undefined
  return {
    paused: isPaused(sqlite),
    limits: readLimits(sqlite),
    pending: openOrders(sqlite).map(order => order.action),
    failed,
  }
}

/** Oldest first. */
export function openOrders(sqlite: DatabaseSync): readonly ControlOrder[] {
  const rows = sqlite.prepare('SELECT * FROM controls WHERE done_at IS NULL ORDER BY id').all()
  return rows.map(row => ({ id: Number(row.id), action: actionOf(row.action), limits: limitsOf(row) }))
}

export function settleOrder(sqlite: DatabaseSync, { id }: ControlOrder, now: Date, error?: string): void {
  const settle = sqlite.prepare('UPDATE controls SET done_at = ?, error = ? WHERE id = ?')
  settle.run(renderTimestamp(now), error ?? null, id)
}

/**
 * A manager begins: that somebody started it is the latest word, so it is not paused, and of the limits, those given to it
 * hold. Returns the limits that hold now, beside those of the job file.
 */
export function beginControls(sqlite: DatabaseSync, given: PoolLimitChange, now: Date): PoolLimitChange {
  if (sqlite.prepare('SELECT 1 FROM controls LIMIT 1').get() === undefined) return {}
  const at = renderTimestamp(now)
  sqlite.exec('BEGIN IMMEDIATE')
  try {
    const insert = 'INSERT INTO controls (at, action, max_instances, max_total_cost, done_at) VALUES (?, ?, ?, ?, ?)'
    sqlite
      .prepare(`UPDATE controls SET done_at = ?, error = ? WHERE done_at IS NULL AND action <> 'limits'`)
      .run(at, 'The manager ended before it could do this.')
    sqlite.prepare('UPDATE controls SET done_at = ? WHERE done_at IS NULL').run(at)
    if (isPaused(sqlite)) sqlite.prepare(insert).run(at, 'resume', null, null, at)
    if (Object.keys(given).length > 0) {
      sqlite.prepare(insert).run(at, 'limits', given.maxInstances ?? null, given.maxTotalCostUsd ?? null, at)
    }
    const limits = readLimits(sqlite)
    sqlite.exec('COMMIT')
    return limits
  } catch (error) {
    if (sqlite.isTransaction) sqlite.exec('ROLLBACK')
    throw error
  }
}

function isPaused(sqlite: DatabaseSync): boolean {
  const row = sqlite
    .prepare(
      `SELECT action FROM controls WHERE action IN ('pause', 'resume') AND done_at IS NOT NULL AND error IS NULL
       ORDER BY id DESC LIMIT 1`,
    )
    .get()
  return row?.action === 'pause'
}

/** Each row changes one limit or both; the last word on each holds. */
function readLimits(sqlite: DatabaseSync): PoolLimitChange {
  const last = (column: string) =>
    `(SELECT ${column} FROM controls WHERE ${column} IS NOT NULL AND done_at IS NOT NULL AND error IS NULL
      ORDER BY id DESC LIMIT 1) AS ${column}`
  return limitsOf(sqlite.prepare(`SELECT ${last('max_instances')}, ${last('max_total_cost')}`).get() ?? {})
}

function limitsOf(row: Readonly<Record<string, unknown>>): PoolLimitChange {
  const { max_instances: instances, max_total_cost: cost } = row
  return {
    ...(typeof instances === 'number' ? { maxInstances: instances } : undefined),
    ...(typeof cost === 'number' ? { maxTotalCostUsd: cost } : undefined),
  }
}

function actionOf(value: unknown): ControlActionName {
  const action = CONTROL_ACTIONS.find(known => known === value)
  if (action === undefined) throw new Error(`The job database asks for "${value}", which this version does not know.`)
  return action
}
