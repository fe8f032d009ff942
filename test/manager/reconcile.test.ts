import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SectionValues } from '../../core/config-keys.ts'
import { type Action, reconcile } from '../../manager/reconcile.ts'
import { tasksPerVm } from '../../manager/select-offers.ts'
import { choice, configWith, poolViewAt, type ViewFields, vm } from './offers.ts'

const NOW = new Date(10_000_000)
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1000)

const view = (fields: ViewFields = {}) => poolViewAt(NOW, fields)

function launched(fields: Parameters<typeof view>[0]): number {
  return reconcile(view(fields)).actions.reduce(
    (sum, action) => sum + (action.kind === 'launch' ? action.vmCount : 0),
    0,
  )
}

function kinds(actions: readonly Action[]): string {
  return actions
    .map(action => (action.kind === 'terminate' ? `terminate ${action.ids.length}` : action.kind))
    .join(', ')
}

const vms = (count: number, fields = {}) => Array.from({ length: count }, () => vm(fields))

describe('the number of VMs to start', () => {
  // [needs, tasks left, VMs at work, expected]; a VM has 2 vCPUs and costs 0.1 USD/h
  for (const [needs, unfinishedCount, vmCount, expected] of [
    [{}, 1_000_000, 0, 10],
    [{}, 1, 0, 1],
    [{}, 3, 0, 2],
    [{}, 0, 0, 0],
    [{}, 4, 1, 1],
    [{}, 2, 1, 0],
    [{}, 1_000_000, 7, 3],
    [{}, 1_000_000, 12, 0],
    [{ cpus_per_task: 0.1 }, 1_000_000, 0, 10],
    [{ cpus_per_task: 0.1 }, 20, 0, 1],
    [{ cpus_per_task: 0.1 }, 21, 0, 2],
    [{ cpus_per_task: 2 }, 3, 0, 3],
    [{ max_instances: 1000 }, 1_000_000, 0, 100], // 10 USD/h at 0.1 is exactly 100
    [{ max_instances: 1000, max_total_price_per_hour: 0.3 }, 1_000_000, 0, 3],
    [{ max_instances: 1000, max_total_price_per_hour: 0.3 }, 1_000_000, 2, 1],
    [{ max_total_price_per_hour: 0.09 }, 1_000_000, 0, 0],
    [{ max_total_cpus: 7 }, 1_000_000, 0, 3],
    [{ max_total_cpus: 7 }, 1_000_000, 3, 0],
    [{ max_simultaneous_tasks: 5 }, 1_000_000, 0, 2],
    [{ max_simultaneous_tasks: 5 }, 1_000_000, 4, 0],
    [{ min_instances: 2, max_instances: 5 }, 1_000_000, 4, 1], // what runs counts towards the minimum
    [{ min_instances: 5, max_instances: 5 }, 1, 0, 1], // little work left is no reason to refuse
    [{ min_instances: 5, max_total_cpus: 8 }, 1_000_000, 0, 0], // never worth starting
    [{ min_total_cpus: 9, max_instances: 4 }, 1_000_000, 0, 0],
    [{ min_total_price_per_hour: 0.5, max_instances: 4 }, 1_000_000, 0, 0],
    [{ min_simultaneous_tasks: 9, max_instances: 4 }, 1_000_000, 0, 0],
    [{ min_simultaneous_tasks: 8, max_instances: 4 }, 1_000_000, 0, 4],
  ] as const satisfies readonly (readonly [SectionValues, number, number, number])[]) {
    it(`${JSON.stringify(needs)}, ${unfinishedCount} tasks left, ${vmCount} VMs at work: ${expected}`, () => {
      const choices = [choice({}, { tasksPerVm: tasksPerVm(2, configWith(needs).tasks) })]
      assert.equal(launched({ needs, unfinishedCount, vms: vms(vmCount), choices }), expected)
    })
  }

  it('is nothing at all when the VMs could not be listed', () => {
    assert.deepEqual(reconcile(view({ vms: undefined })).actions, [])
  })

  it('counts VMs that start as if they ran, and not those that end', () => {
    const alive = [
      ...vms(3, { state: 'starting' }),
      ...vms(9, { state: 'terminated' }),
      ...vms(9, { state: 'stopping' }),
    ]
    assert.equal(launched({ vms: alive }), 7)
  })

  it('warns of a bound that lets no VM start at all, but not of one that is simply reached', () => {
    const needs = { max_total_price_per_hour: 0.09 }
    assert.match(reconcile(view({ needs })).warnings.join(), /max_total_price_per_hour/)
    assert.deepEqual(reconcile(view({ vms: vms(10) })).warnings, [])
  })

  it('goes to a smaller type where the best is too dear', () => {
    const dear = choice({ instanceType: 'dear', vcpuCount: 64, priceUsdPerHour: 3 })
    const [action] = reconcile(view({ needs: { max_total_price_per_hour: 0.25 }, choices: [dear, choice()] })).actions
    assert.ok(action?.kind === 'launch')
    assert.deepEqual([action.vmCount, action.choices.map(({ offer }) => offer.instanceType)], [2, ['m-2']])
  })

  it('offers as alternatives only what keeps every bound with the same number', () => {
    const others = [
      choice({ instanceType: 'dearer', priceUsdPerHour: 0.2 }),
      choice({ instanceType: 'like', zone: 'z-b' }),
      choice({ instanceType: 'on-demand' }, { spot: false }),
    ]
    const [action] = reconcile(view({ needs: { max_total_price_per_hour: 1 }, choices: [choice(), ...others] })).actions
    assert.ok(action?.kind === 'launch')
    assert.deepEqual(
      action.choices.map(({ offer }) => offer.instanceType),
      ['m-2', 'like'],
    )
  })

  it('waits when every type is out of capacity', () => {
    assert.deepEqual(reconcile(view({ choices: [] })).actions, [])
  })
})

describe('the money', () => {
  const needs = { max_total_cost: 1 }

  it('ends the VMs before the limit is exceeded, and the job with them', () => {
    const { actions } = reconcile(view({ needs, vms: vms(4), spentUsd: 0.995 }))
    assert.equal(kinds(actions), 'terminate 4, abort')
  })

  it('is spent while it lasts', () => {
    assert.equal(kinds(reconcile(view({ needs, vms: vms(10), spentUsd: 0.98 })).actions), '')
  })

  it('starts no VM that could not be paid for until the next look', () => {
    assert.equal(launched({ needs, spentUsd: 0.994 }), 3) // 0.006 USD pays a minute of three
    assert.equal(kinds(reconcile(view({ needs, spentUsd: 0.999 })).actions), 'abort')
  })
})

describe('silent VMs', () => {
  const [one, two] = [vm(), vm()]
  const signs = (
    heard: readonly (readonly [typeof one, number])[],
    seen: readonly (readonly [typeof one, number])[],
    rest = {},
  ) => ({
    heardAt: new Map(heard.map(([{ id }, seconds]) => [id, ago(seconds)])),
    firstSeenAt: new Map(seen.map(([{ id }, seconds]) => [id, ago(seconds)])),
    listeningSince: new Date(0),
    knownUntil: NOW,
    ...rest,
  })
  const both = [one, two]
  const needs = { max_instances: 2 }

  it('are ended and replaced at once', () => {
    const { actions } = reconcile(
      view({
        needs,
        vms: both,
        signs: signs(
          [
            [one, 301],
            [two, 10],
          ],
          [],
        ),
      }),
    )
    assert.equal(kinds(actions), 'terminate 1, launch')
  })

  it('are forgiven what the manager could not hear', () => {
    for (const rest of [{ listeningSince: ago(200) }, { knownUntil: ago(100) }]) {
      assert.equal(
        kinds(
          reconcile(
            view({
              needs,
              vms: both,
              signs: signs(
                [
                  [one, 301],
                  [two, 10],
                ],
                [],
                rest,
              ),
            }),
          ).actions,
        ),
        '',
      )
    }
  })

  it('are left alone when nobody is to be watched', () => {
    const unwatched = { ...needs, keepalive_timeout: 0, keepalive_startup_timeout: 0 }
    assert.equal(
      kinds(reconcile(view({ needs: unwatched, vms: both, signs: signs([[one, 9000]], [[two, 9000]]) })).actions),
      '',
    )
  })

  it('are ended when others were heard but they never', () => {
    const { actions } = reconcile(view({ needs, vms: both, signs: signs([[one, 5]], [[two, 601]]) }))
    assert.equal(kinds(actions), 'terminate 1, launch')
  })

  it('end the job when nobody was ever heard', () => {
    assert.equal(
      kinds(
        reconcile(
          view({
            needs,
            vms: both,
            signs: signs(
              [],
              [
                [one, 601],
                [two, 602],
              ],
            ),
          }),
        ).actions,
      ),
      'terminate 2, abort',
    )
    const early = reconcile(
      view({
        needs,
        vms: both,
        signs: signs(
          [],
          [
            [one, 601],
            [two, 10],
          ],
        ),
      }),
    )
    assert.equal(kinds(early.actions), '')
    assert.equal(early.warnings.length, 1)
  })
})

describe('VMs that are not needed', () => {
  it('are ended when all tasks are done', () => {
    assert.equal(kinds(reconcile(view({ unfinishedCount: 0, vms: vms(3) })).actions), 'terminate 3')
  })

  it('are ended while others have a place for every task left, but never a busy one', () => {
    const all = vms(5)
    const idle = new Set(all.slice(0, 4).map(({ id }) => id))
    const { actions } = reconcile(view({ unfinishedCount: 3, vms: all, idle }))
    assert.equal(kinds(actions), 'terminate 3')
    assert.ok(actions.every(action => action.kind !== 'terminate' || action.ids.every(id => idle.has(id))))
  })

  it('are not bought again and again when none can work', () => {
    const stillborn = { count: 3, endReason: 'startup script failed (exit code 3)' }
    const { actions } = reconcile(view({ vms: vms(1), stillborn }))
    assert.equal(kinds(actions), 'terminate 1, abort')
  })
})
