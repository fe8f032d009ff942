import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { vmId } from '../../core/ids.ts'
import type { Vm } from '../../infra/provider.ts'
import { type JobDb, openJobDb } from '../../manager/job-db.ts'
import { LaunchIntents } from '../../manager/launch-intents.ts'
import { PoolKeeper } from '../../manager/pool-keeper.ts'
import { type Action, reconcile } from '../../manager/reconcile.ts'
import { VmWatch } from '../../manager/vm-watch.ts'
import { seeded } from '../../scripts/simulate/seeded-random.ts'
import { jobConfigWith } from '../support/job-config.ts'
import { choice, poolViewAt, type ViewFields, vm } from './offers.ts'

const NOW = new Date(10_000_000)
const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)
const view = (fields: ViewFields = {}) => poolViewAt(NOW, { unproven: true, ...fields })

function launched(actions: readonly Action[]): number {
  return actions.reduce((sum, action) => sum + (action.kind === 'launch' ? action.vmCount : 0), 0)
}

describe('until a VM has shown that it can work', () => {
  it('one is started, whatever the work', () => {
    const { actions, reason } = reconcile(view())
    assert.equal(launched(actions), 1)
    assert.match(reason, /one VM, to show that it can work/)
  })

  it('no other joins it, while it boots or runs', () => {
    for (const state of ['starting', 'running'] as const) {
      assert.deepEqual(reconcile(view({ vms: [vm({ state })] })).actions, [])
    }
  })

  it('it is replaced when it is gone without a fault of its own', () => {
    for (const state of ['stopping', 'terminated'] as const) {
      assert.equal(launched(reconcile(view({ vms: [vm({ state, endReason: 'preempted' })] })).actions), 1)
    }
  })

  it('its end by itself ends the job, and the sentence says where to look', () => {
    const stillborn = { count: 1, endReason: 'powered off', vmId: vmId('i-1') }
    const { actions } = reconcile(view({ stillborn }))
    const [abort] = actions
    assert.ok(actions.length === 1 && abort?.kind === 'abort')
    assert.match(abort.because, /^VM i-1 ended by itself before it could work: powered off\. Mend .*console log/)
  })

  it('the others follow as soon as it has', () => {
    assert.equal(launched(reconcile(poolViewAt(NOW, { vms: [vm()] })).actions), 9)
  })

  it('the work and the money bound it like any other', () => {
    assert.deepEqual(reconcile(view({ unfinishedCount: 0 })).actions, [])
    assert.deepEqual(reconcile(view({ vms: undefined })).actions, [])
    assert.equal(launched(reconcile(view({ needs: { max_total_price_per_hour: 0.09 } })).actions), 0)
  })

  it('there is never more than one, in any situation', () => {
    const random = seeded(20261122)
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
    for (let round = 0; round < 2000; round++) {
      const vms = Array.from({ length: Math.floor(random() * 4) }, () =>
        vm({ state: pick(['starting', 'running', 'stopping', 'terminated']), vcpuCount: pick([1, 2, 8]) }),
      )
      const choices = Array.from({ length: Math.floor(random() * 4) }, () =>
        choice({ vcpuCount: pick([2, 4, 16]), priceUsdPerHour: pick([0.01, 0.1, 0.7]) }),
      )
      const needs = { max_instances: pick([1, 5, 30]), ...(random() < 0.5 && { max_total_cost: pick([0.01, 1, 100]) }) }
      const state = view({ vms, choices, needs, unfinishedCount: pick([0, 1, 5, 1000]), spentUsd: pick([0, 0.9]) })
      const active = vms.filter(one => one.state === 'starting' || one.state === 'running').length
      const { actions } = reconcile(state)
      assert.ok(active === 0 ? launched(actions) <= 1 : launched(actions) === 0)
      const proven = reconcile({ ...state, unproven: false })
      if (launched(proven.actions) === 0) assert.equal(launched(actions), 0, 'it is never a reason to start one')
    }
  })
})

describe('a VM has shown that it can work', () => {
  const id = vmId('i-1')
  const heard = (at: Date) => new Map([[id, at]])
  const fatal = JSON.stringify({
    timestamp: '2026-11-22T10:00:00.000000+00:00',
    hostname: 'h',
    event_type: 'fatal_exception',
    exception: 'task.ts does not exist',
    instance_id: id,
  })

  it('when a task has come to an end', () => {
    const watch = new VmWatch(NOW)
    watch.hear(heard(NOW), ['{"task_id":"any"}'])
    assert.equal(watch.proven(), true)
  })

  it('when it was heard of for half a minute; its first sign of life alone proves nothing', () => {
    const watch = new VmWatch(NOW)
    watch.hear(heard(NOW), [])
    assert.equal(watch.proven(), false)
    watch.hear(heard(later(10)), [])
    assert.equal(watch.proven(), false)
    watch.hear(heard(later(60)), [])
    assert.equal(watch.proven(), true)
  })

  it('but not when it says that it cannot', () => {
    const watch = new VmWatch(NOW)
    watch.hear(heard(NOW), [])
    watch.hear(heard(later(60)), [fatal])
    assert.equal(watch.proven(), false)
    watch.see([vm({ id })], later(60))
    watch.see([vm({ id, state: 'terminated', endReason: 'powered off' })], later(61))
    assert.deepEqual(watch.stillborn(), { count: 1, endReason: 'task.ts does not exist', vmId: id })
  })

  it('and neither a preemption, nor an end by us, nor one for want of work speaks against it', () => {
    for (const [endReason, workWaits] of [
      ['preempted', true],
      ['terminated', true],
      ['powered off', false],
    ] as const) {
      const watch = new VmWatch(NOW)
      watch.workWaits = workWaits
      watch.see([vm({ id })], NOW)
      watch.see([vm({ id, state: 'terminated', endReason })], later(5))
      assert.equal(watch.stillborn().count, 0, endReason)
    }
  })
})

describe('a manager of a real cloud', () => {
  const clock = { nowMs: NOW.getTime() }

  function openKeeper(db: JobDb, provider: 'aws' | 'local' = 'aws'): { keeper: PoolKeeper; launched: () => number } {
    const vms: Vm[] = []
    const config = jobConfigWith({ provider, [provider]: { region: 'r', use_spot: true }, run: { max_instances: 5 } })
    const keeper = new PoolKeeper({
      pool: {
        async launch({ vmCount }) {
          const made = Array.from({ length: vmCount }, () => vm({ launchedAt: new Date(clock.nowMs) }))
          vms.push(...made)
          return { launched: made, failures: [] }
        },
        list: async () => vms,
        terminate: async () => {},
      },
      taskQueue: { admin: { depth: async () => undefined } },
      db: {
        sqlite: db.sqlite,
        unfinishedCount: () => 1000,
        vms: () => db.vms(),
        saveVms: (...saved) => db.saveVms(...saved),
      },
      intents: new LaunchIntents(db.sqlite),
      config,
      choices: [choice()],
      log: () => {},
      clock: { now: () => clock.nowMs, sleep: async () => {} },
    })
    return { keeper, launched: () => vms.length }
  }

  it('starts one VM, and the others when a task has come to an end; the next one goes on with all', async t => {
    const db = openJobDb(':memory:', { mode: 'create' })
    t.after(() => db.close())
    const { keeper, launched } = openKeeper(db)
    for (let tick = 0; tick < 3; tick++) await keeper.tick()
    assert.equal(launched(), 1)
    const [first] = keeper.vms
    assert.ok(first !== undefined)
    const event = {
      timestamp: NOW.toISOString(),
      hostname: 'h',
      event_type: 'task_completed',
      task_id: 't',
      elapsed_time: 1,
      instance_id: first.id,
    }
    keeper.hear(db.applyEvents([JSON.stringify(event)], NOW))
    await keeper.tick()
    assert.equal(launched(), 5)

    const next = openKeeper(db)
    await next.keeper.tick()
    assert.equal(next.launched(), 5, 'run --continue of a job that has worked')
  })

  it('starts all at once where VMs cost nothing', async t => {
    const db = openJobDb(':memory:', { mode: 'create' })
    t.after(() => db.close())
    const { keeper, launched } = openKeeper(db, 'local')
    await keeper.tick()
    assert.equal(launched(), 5)
  })
})
