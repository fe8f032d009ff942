import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { taskId, vmId } from '../../core/ids.ts'
import type { Outcome } from '../../core/outcome.ts'
import { eventTimestamp, renderEvent } from '../../core/task-event.ts'
import { type JobDb, openJobDb } from '../../manager/job-db.ts'
import { microUsdOf, readLedger, sumDivisions } from '../../manager/ledger.ts'
import { seeded } from '../../scripts/simulate/seeded-random.ts'
import { vm } from './offers.ts'

const START = Date.UTC(2026, 10, 22, 8)
const at = (seconds: number) => new Date(START + seconds * 1000)

function openDb(t: TestContext): JobDb {
  const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-ledger-'))
  const db = openJobDb(join(folder, 'job.db'), { mode: 'create' })
  t.after(() => {
    db.close()
    rmSync(folder, { recursive: true })
  })
  return db
}

let eventCount = 0

function attempt(id: string, endSeconds: number, elapsedSeconds: number, outcome: Outcome, task = 't'): string {
  return renderEvent({
    kind: 'attempt',
    timestamp: eventTimestamp(at(endSeconds).getTime()),
    hostname: 'host',
    instanceId: vmId(id),
    eventId: `e-${++eventCount}`,
    taskId: taskId(`${task}-${eventCount}`),
    attempt: 1,
    retry: null,
    outcome,
    elapsedSeconds,
  })
}

const DONE: Outcome = { kind: 'completed', result: 1, retry: false }
const TAKEN: Outcome = { kind: 'interrupted', reason: 'preempted' }

describe('the ledger', () => {
  it('bills a VM that nobody watches any more to when it was last seen alive', t => {
    const db = openDb(t)
    const running = vm({ id: vmId('a'), state: 'running', launchedAt: at(0), priceUsdPerHour: 3.6 })
    db.saveVms([running], at(10), {})
    db.saveVms([running], at(60), { complete: true })
    assert.equal(readLedger(db.sqlite)[0]?.microUsd.total, 60_000)
  })

  it('divides the time of a VM into boot, useful, lost and idle', t => {
    const db = openDb(t)
    const ended = { state: 'terminated', launchedAt: at(0), priceUsdPerHour: 3.6 } as const
    db.saveVms(
      [
        vm({ ...ended, id: vmId('a'), endedAt: at(100), endReason: 'terminated' }),
        vm({ ...ended, id: vmId('b'), endedAt: at(100), endReason: 'preempted' }),
        vm({ ...ended, id: vmId('c'), endedAt: at(50), endReason: 'startup script failed' }),
      ],
      at(100),
      { slotsOf: () => 2 },
    )
    db.applyEvents([attempt('a', 40, 20, DONE), attempt('a', 60, 20, DONE), attempt('a', 70, 30, DONE)], at(70))
    db.applyEvents([attempt('b', 30, 10, DONE), attempt('b', 50, 20, TAKEN)], at(90))
    const rows = db.sqlite
      .prepare('SELECT id, boot_ms, useful_ms, lost_ms, idle_ms, micro_usd FROM ledger ORDER BY id')
      .all()
    assert.deepEqual(
      rows.map(row => Object.values(row)),
      [
        ['a', 20_000, 35_000, 0, 45_000, 100_000], // 70 s of work at two places
        ['b', 20_000, 5_000, 60_000, 15_000, 100_000], // 20 s of work given up, then 50 s unheard
        ['c', 50_000, 0, 0, 0, 50_000], // never worked
      ],
    )
    const [line] = readLedger(db.sqlite)
    assert.deepEqual(line?.microUsd, { total: 250_000, useful: 40_000, lost: 60_000, boot: 90_000, idle: 60_000 })
    assert.equal(db.sqlite.prepare('SELECT micro_usd FROM job_cost').get()?.micro_usd, 250_000)
    const tasks = db.sqlite.prepare('SELECT sum(micro_usd) AS sum, count(*) AS count FROM task_costs').get()
    assert.deepEqual({ ...tasks }, { sum: 50_000, count: 5 })
  })

  it('adds up to what the VMs cost to the micro-dollar, whatever happened', t => {
    const random = seeded(7)
    const db = openDb(t)
    const now = new Date()
    const vms = Array.from({ length: 500 }, (_, index) => {
      const launchedAt = new Date(now.getTime() - Math.floor(random() * 1e8))
      const alive = random() < 0.2
      const lifeMs = Math.floor(random() * (now.getTime() - launchedAt.getTime()))
      return vm({
        id: vmId(`v-${index}`),
        launchedAt,
        priceUsdPerHour: random() * 3,
        instanceType: `type-${index % 7}`,
        zone: `zone-${index % 3}`,
        state: alive ? 'running' : 'terminated',
        ...(alive ? undefined : { endedAt: new Date(launchedAt.getTime() + lifeMs) }),
        endReason: random() < 0.5 ? 'preempted' : 'terminated',
      })
    })
    db.saveVms(vms, now, { slotsOf: () => 1 + Math.floor(random() * 4) })
    for (const { id, launchedAt } of vms) {
      const seconds = (launchedAt.getTime() - START) / 1000
      const events = Array.from({ length: Math.floor(random() * 4) }, () =>
        attempt(id, seconds + random() * 1e5 - 1000, random() * 1e4, random() < 0.5 ? DONE : TAKEN),
      )
      db.applyEvents(events, new Date(launchedAt.getTime() + random() * 1e6))
    }
    const rows = db.sqlite.prepare('SELECT * FROM ledger').all()
    assert.equal(rows.length, vms.length)
    for (const row of rows) {
      const number = (column: string) => Number(row[column])
      const parts = ['useful', 'lost', 'boot', 'idle']
      for (const unit of ['ms', 'micro_usd']) {
        for (const part of parts) assert.ok(number(`${part}_${unit}`) >= 0, `${part}_${unit} of ${row.id}`)
      }
      const sum = (unit: string) => parts.reduce((total, part) => total + number(`${part}_${unit}`), 0)
      assert.equal(sum('micro_usd'), number('micro_usd'))
      assert.equal(sum('ms'), number('total_ms'))
    }
    const ended = vms.filter(({ endedAt }) => endedAt !== undefined)
    const byHand = ended.reduce((total, one) => total + microUsdOf(one, now), 0)
    const bySql = db.sqlite
      .prepare(`SELECT sum(micro_usd) AS sum FROM ledger JOIN instances USING (id) WHERE ended_at IS NOT NULL`)
      .get()
    assert.equal(bySql?.sum, byHand)
    const lines = readLedger(db.sqlite).map(line => line.microUsd)
    const { total, useful, lost, boot, idle } = sumDivisions(lines)
    assert.equal(useful + lost + boot + idle, total)
  })
})
