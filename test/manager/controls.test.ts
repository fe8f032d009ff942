// Orders in the job database, what a manager that begins makes of them, and what they mean for the pool.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { beginControls, openOrders, readControls, requestControl, settleOrder } from '../../manager/controls.ts'
import { type JobDb, openJobDb } from '../../manager/job-db.ts'
import { reconcile } from '../../manager/reconcile.ts'
import { SampleLog } from '../../manager/samples.ts'
import { poolViewAt, vm } from './offers.ts'

const NOW = new Date('2026-01-01T00:00:00Z')
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)

let folder: string
let db: JobDb
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-controls-'))
  db = openJobDb(join(folder, 'job.db'), { mode: 'create' })
})
afterEach(() => {
  db.close()
  rmSync(folder, { recursive: true })
})

function carryOut(): void {
  for (const order of openOrders(db.sqlite)) settleOrder(db.sqlite, order, later(1))
}

describe('orders', () => {
  it('hold from when they are carried out, the last one of each kind', () => {
    requestControl(db.sqlite, { action: 'pause' }, NOW)
    requestControl(db.sqlite, { action: 'limits', limits: { maxInstances: 5 } }, NOW)
    const asked = readControls(db.sqlite)
    assert.deepEqual([asked.paused, asked.limits, asked.pending], [false, {}, ['pause', 'limits']])
    carryOut()
    requestControl(db.sqlite, { action: 'limits', limits: { maxTotalCostUsd: 2.5 } }, NOW)
    requestControl(db.sqlite, { action: 'limits', limits: { maxInstances: 3 } }, NOW)
    carryOut()
    const done = readControls(db.sqlite)
    assert.deepEqual([done.paused, done.limits, done.pending], [true, { maxInstances: 3, maxTotalCostUsd: 2.5 }, []])
  })

  it('that failed change nothing, and are told until the next one', () => {
    requestControl(db.sqlite, { action: 'requeue' }, NOW)
    const [order] = openOrders(db.sqlite)
    assert.ok(order)
    settleOrder(db.sqlite, order, later(2), 'The queue is gone.')
    const failed = { action: 'requeue', error: 'The queue is gone.', at: '2026-01-01T00:00:02.000Z' }
    assert.deepEqual(readControls(db.sqlite).failed, failed)
    requestControl(db.sqlite, { action: 'requeue' }, NOW)
    assert.equal(readControls(db.sqlite).failed, undefined)
  })

  it('to a manager that is gone: the next one is not paused and not stopped, but keeps the limits, also the open ones', () => {
    requestControl(db.sqlite, { action: 'pause' }, NOW)
    requestControl(db.sqlite, { action: 'limits', limits: { maxInstances: 5, maxTotalCostUsd: 9 } }, NOW)
    carryOut()
    requestControl(db.sqlite, { action: 'limits', limits: { maxTotalCostUsd: 4 } }, NOW)
    requestControl(db.sqlite, { action: 'stop' }, NOW)
    assert.deepEqual(beginControls(db.sqlite, {}, later(9)), { maxInstances: 5, maxTotalCostUsd: 4 })
    const state = readControls(db.sqlite)
    assert.deepEqual([state.paused, state.pending, openOrders(db.sqlite)], [false, [], []])
  })

  it('give way to what the next manager is told on its command line', () => {
    requestControl(db.sqlite, { action: 'limits', limits: { maxInstances: 5, maxTotalCostUsd: 9 } }, NOW)
    carryOut()
    assert.deepEqual(beginControls(db.sqlite, { maxInstances: 8 }, NOW), { maxInstances: 8, maxTotalCostUsd: 9 })
    assert.deepEqual(beginControls(db.sqlite, {}, NOW), { maxInstances: 8, maxTotalCostUsd: 9 })
  })

  it('that nobody gave leave no trace', () => {
    assert.deepEqual(beginControls(db.sqlite, { maxInstances: 8 }, NOW), {})
    assert.equal(db.sqlite.prepare('SELECT count(*) AS n FROM controls').get()?.n, 0)
  })
})

describe('the pool', () => {
  const four = [0, 1, 2, 3].map(age => vm({ launchedAt: new Date(NOW.getTime() - age * 1000) }))
  const fields = { needs: { max_instances: 2 }, unfinishedCount: 1000, vms: four }

  it('is ended while it is paused, and nothing is started', () => {
    const decision = reconcile({ ...poolViewAt(NOW, fields), orders: { paused: true, limits: {} } })
    assert.deepEqual(decision.actions, [
      { kind: 'terminate', ids: four.map(({ id }) => id), because: 'the job is paused' },
    ])
    assert.match(decision.reason, /paused/)
    const empty = { ...fields, vms: [] }
    assert.deepEqual(reconcile({ ...poolViewAt(NOW, empty), orders: { paused: true, limits: {} } }).actions, [])
  })

  it('loses its youngest VMs when max_instances is lowered by order, and none because of the limit alone', () => {
    const view = poolViewAt(NOW, fields)
    const [action] = reconcile({ ...view, orders: { paused: false, limits: { maxInstances: 2 } } }).actions
    assert.deepEqual(action?.kind === 'terminate' ? action.ids : [], [four[0]?.id, four[1]?.id])
    assert.deepEqual(reconcile(view).actions, [])
    assert.deepEqual(reconcile({ ...view, orders: { paused: false, limits: {} } }).actions, [])
  })
})

describe('samples', () => {
  const depth = { ready: 1, leased: 2, delayed: 3, estimated: false }
  const count = () => Number(db.sqlite.prepare('SELECT count(*) AS n FROM samples').get()?.n)

  it('never become more than their limit, and still cover the whole job', () => {
    const log = new SampleLog(db.sqlite, { mostRows: 40 })
    for (let second = 0; second <= 10_000; second += 5) {
      log.add(later(second), depth, { vmCount: 1, slotCount: 2, usdPerHour: 0.5 })
      assert.ok(count() <= 40)
    }
    const times = db.sqlite
      .prepare('SELECT at FROM samples ORDER BY id')
      .all()
      .map(row => Date.parse(String(row.at)))
    assert.ok(times.length >= 15, String(times.length))
    assert.equal(times[0], NOW.getTime())
    assert.ok(10_000_000 - ((times.at(-1) ?? 0) - NOW.getTime()) < 600_000)
  })

  it('are kept without a queue or without a pool, but not without both', () => {
    const log = new SampleLog(db.sqlite)
    log.add(NOW, undefined, undefined)
    assert.equal(count(), 0)
    log.add(later(5), depth, undefined)
    log.add(later(10), undefined, { vmCount: 1, slotCount: 2, usdPerHour: 0.5 })
    const rows = db.sqlite
      .prepare('SELECT ready, slots FROM samples ORDER BY id')
      .all()
      .map(row => [row.ready, row.slots])
    assert.deepEqual(rows, [
      [1, null],
      [null, 2],
    ])
  })
})
