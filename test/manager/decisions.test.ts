import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { vmId } from '../../core/ids.ts'
import {
  DecisionLog,
  parseInputs,
  readDecision,
  readDecisions,
  renderInputs,
  storedAction,
} from '../../manager/decisions.ts'
import { explainDecision } from '../../manager/decisions-text.ts'
import { openJobDb } from '../../manager/job-db.ts'
import { type PoolView, reconcile } from '../../manager/reconcile.ts'
import { seeded } from '../../scripts/simulate/seeded-random.ts'
import { choice, configWith, poolViewAt, type ViewFields, vm } from './offers.ts'

const NOW = new Date(Date.UTC(2026, 10, 22, 8))

const view = (fields: ViewFields = {}) => poolViewAt(NOW, { unfinishedCount: 5000, ...fields })

function openLog() {
  const { sqlite } = openJobDb(':memory:', { mode: 'create' })
  const log = new DecisionLog(sqlite)
  return { sqlite, decide: (fields: Partial<PoolView>) => log.record(view(fields), reconcile(view(fields))) }
}

describe('a stored decision', () => {
  it('is made again from its stored inputs, whatever they were', () => {
    const random = seeded(11)
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
    const ago = (seconds: number) => new Date(NOW.getTime() - random() * seconds * 1000)
    let acted = 0
    for (let round = 0; round < 500; round++) {
      const vms = Array.from({ length: Math.floor(random() * 20) }, (_, index) =>
        vm({
          id: vmId(`v-${index}`),
          state: pick(['starting', 'running', 'running', 'stopping', 'terminated']),
          launchedAt: ago(4000),
        }),
      )
      const some = () => vms.filter(() => random() < 0.5).map(({ id }) => id)
      const inputs = view({
        config: configWith({
          max_instances: pick([3, 30]),
          ...(random() < 0.5 ? { max_total_cost: pick([0.1, 10]) } : undefined),
        }),
        vms: random() < 0.05 ? undefined : vms,
        unfinishedCount: pick([0, 3, 20, 5000]),
        idle: new Set(some()),
        choices: [
          choice({ zone: 'z-a' }, { survival: 0.99 }),
          choice({ zone: 'z-b' }),
          choice({ instanceType: 'dear', priceUsdPerHour: 1 }),
        ].slice(0, pick([0, 1, 3])),
        spentUsd: pick([0, 0.09, 9]),
        paidUntil: new Map(some().map(id => [id, new Date(NOW.getTime() + random() * 200_000)])),
        signs: {
          heardAt: new Map([...some(), vmId('gone')].map(id => [id, ago(400)])),
          firstSeenAt: new Map(some().map(id => [id, ago(800)])),
          listeningSince: ago(3000),
          knownUntil: ago(10),
        },
      })
      const decision = reconcile(inputs)
      assert.equal(JSON.stringify(reconcile(parseInputs(renderInputs(inputs)))), JSON.stringify(decision))
      assert.deepEqual(reconcile(inputs), decision, 'deciding changes nothing')
      if (decision.actions.length > 0) acted += 1
    }
    assert.ok(acted > 100)
  })

  it('is not stored twice in a row, not even by the next manager', () => {
    const { sqlite, decide } = openLog()
    decide({})
    decide({ now: new Date(NOW.getTime() + 1000) })
    new DecisionLog(sqlite).record(view(), reconcile(view()))
    decide({ unfinishedCount: 0 })
    decide({})
    const stored = readDecisions(sqlite)
    assert.equal(stored.length, 3)
    for (const { inputs, actions, reason } of stored) {
      assert.ok(inputs !== undefined)
      const again = reconcile(parseInputs(inputs))
      assert.deepEqual([again.reason, again.actions.map(storedAction)], [reason, actions])
    }
  })

  it('keeps its reason for ever and its inputs within bounds', () => {
    const { sqlite, decide } = openLog()
    const vms = Array.from({ length: 3000 }, (_, index) => vm({ id: vmId(`some-rather-long-name-of-a-vm-${index}`) }))
    for (let round = 0; round < 60; round++) decide({ vms, unfinishedCount: round % 2 === 0 ? 0 : 1_000_000 })
    const row = sqlite.prepare('SELECT count(*) AS n, sum(length(inputs)) AS size FROM decisions').get()
    assert.equal(row?.n, 60)
    assert.ok(Number(row?.size) > 4e6 && Number(row?.size) <= 16e6, `${row?.size}`)
    assert.ok(readDecision(sqlite, undefined)?.inputs !== undefined, 'the latest has its inputs')
  })

  it('is explained in one sentence, for any moment', () => {
    const { sqlite, decide } = openLog()
    decide({})
    const later = new Date(NOW.getTime() + 60_000)
    const vms = Array.from({ length: 10 }, (_, index) => vm({ state: index < 4 ? 'starting' : 'running' }))
    decide({ now: later, vms })
    const explain = (at: Date) => {
      const decision = readDecision(sqlite, at)
      return decision === undefined ? undefined : explainDecision(decision, at)
    }
    assert.equal(explain(new Date(NOW.getTime() - 1)), undefined)
    assert.equal(
      explain(NOW),
      'At 2026-11-22 08:00:00 UTC there was no VM for 5,000 unfinished tasks: ' +
        '10 spot VMs m-2 in z-a asked for; 10 more VMs, as many as max_instances allows.',
    )
    assert.equal(
      explain(new Date(later.getTime() + 5000)),
      'At 2026-11-22 08:01:05 UTC there was 10 VMs (4 still starting, places for 20 tasks) for 5,000 unfinished tasks, ' +
        'as decided at 2026-11-22 08:01:00 UTC: max_instances allows no more.',
    )
  })
})
