import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SectionValues } from '../../core/config-keys.ts'
import { type VmId, vmId } from '../../core/ids.ts'
import { timesWithin } from '../../manager/exact-division.ts'
import { type PoolView, reconcile } from '../../manager/reconcile.ts'
import { type Launch, sumOf } from '../../manager/reconcile-launch.ts'
import { seeded } from '../../scripts/simulate/seeded-random.ts'
import { choice, poolViewAt, type ViewFields, vm } from './offers.ts'

const NOW = new Date(10_000_000)

const view = (fields: ViewFields = {}) => poolViewAt(NOW, fields)

describe('whatever the situation', () => {
  const random = seeded(20261122)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const maybe = (value: number) => (random() < 0.5 ? undefined : value)

  it('every bound holds, no busy VM is ended, and there are never more places than the work left needs', () => {
    for (let round = 0; round < 3000; round++) {
      const raw = {
        max_instances: 1 + Math.floor(random() * 30),
        max_total_cpus: maybe(1 + Math.floor(random() * 60)),
        max_simultaneous_tasks: maybe(1 + Math.floor(random() * 60)),
        max_total_price_per_hour: pick([0.1, 0.35, 1, 10]),
        max_total_cost: maybe(pick([0.01, 1, 100])),
        cpus_per_task: pick([0.1, 0.5, 1, 2, 3]),
      }
      const needs = Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== undefined))
      const alive = Array.from({ length: Math.floor(random() * 12) }, (_, index) =>
        vm({
          id: vmId(`vm-${index}`),
          state: pick(['starting', 'running', 'stopping', 'terminated']),
          vcpuCount: pick([1, 2, 8]),
        }),
      )
      const choices = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
        const vcpuCount = pick([1, 2, 4, 16].filter(count => count >= raw.cpus_per_task)) // others are never chosen
        return choice(
          { vcpuCount, priceUsdPerHour: pick([0.01, 0.1, 0.7]) },
          { tasksPerVm: Math.max(1, timesWithin(vcpuCount, raw.cpus_per_task)), spot: pick([true, false]) },
        )
      })
      const state = view({
        needs,
        vms: alive,
        choices,
        unfinishedCount: pick([0, 1, 5, 30, 1000]),
        idle: new Set(alive.filter(() => random() < 0.3).map(({ id }) => id)),
        spentUsd: pick([0, 0.009, 0.99]),
      })
      check(state, needs)
    }
  })

  it('nothing is done when the VMs could not be listed', () => {
    for (const unfinishedCount of [0, 1, 1000]) {
      assert.deepEqual(reconcile(view({ vms: undefined, unfinishedCount, spentUsd: 1e6 })).actions, [])
    }
  })

  function check(state: PoolView, needs: SectionValues): void {
    const { actions } = reconcile(state)
    const { pool, tasks } = state.config
    const active = (state.vms ?? []).filter(({ state: now }) => now === 'starting' || now === 'running')
    const ended = new Set(actions.flatMap(action => (action.kind === 'terminate' ? action.ids : [])))
    const aborted = actions.some(({ kind }) => kind === 'abort')
    if (!aborted && state.unfinishedCount > 0) {
      for (const id of ended) assert.ok(state.idle.has(id), `busy VM ended: ${JSON.stringify(needs)}`)
    }
    for (const id of ended) assert.ok(active.some(({ id: known }) => known === id))
    const launches = actions.filter(action => action.kind === 'launch')
    if (!aborted) checkAgain(state, ended, launches)
    if (launches.length === 0) return
    assert.ok(!aborted && launches.every(({ vmCount }) => vmCount > 0))
    const launch = {
      vmCount: launches.reduce((sum, { vmCount }) => sum + vmCount, 0),
      choices: launches.flatMap(({ choices }) => choices),
    }
    const kept = sumOf(
      active.filter(({ id }) => !ended.has(id)),
      tasks,
    )
    for (const { offer, tasksPerVm } of launch.choices) {
      const slack = 1e-6
      assert.ok(kept.vmCount + launch.vmCount <= pool.maxInstances)
      assert.ok(kept.vcpuCount + launch.vmCount * offer.vcpuCount <= (pool.maxTotalCpus ?? Number.POSITIVE_INFINITY))
      assert.ok(kept.slotCount + launch.vmCount * tasksPerVm <= (pool.maxSimultaneousTasks ?? Number.POSITIVE_INFINITY))
      const usdPerHour = kept.usdPerHour + launch.vmCount * offer.priceUsdPerHour
      assert.ok(usdPerHour <= pool.maxTotalUsdPerHour + slack)
      assert.ok(
        state.spentUsd + (usdPerHour * state.horizonSeconds) / 3600 <=
          (pool.maxTotalCostUsd ?? Number.POSITIVE_INFINITY) + slack,
      )
      // One VM less would leave a task without a place.
      assert.ok(kept.slotCount + (launch.vmCount - 1) * tasksPerVm < state.unfinishedCount)
      assert.equal(launch.choices[0]?.spot, launch.choices.at(-1)?.spot)
    }
  }

  /** Once what was decided is done, another type may fill up what the best one left of a bound; then there is nothing more to do. */
  function checkAgain(state: PoolView, ended: ReadonlySet<VmId>, launches: readonly Launch[]): void {
    assert.deepEqual(reconcile(state), reconcile(state))
    let vms = (state.vms ?? []).map(one => (ended.has(one.id) ? { ...one, state: 'terminated' as const } : one))
    let next: readonly Launch[] = launches
    for (let round = 0; next.length > 0; round++) {
      assert.ok(round <= state.choices.length, 'it goes on launching')
      vms = [...vms, ...next.flatMap(vmsOf)]
      const { actions } = reconcile({ ...state, vms })
      const gone = new Set(actions.flatMap(action => (action.kind === 'terminate' ? action.ids : [])))
      vms = vms.filter(({ id }) => !gone.has(id))
      next = actions.filter(action => action.kind === 'launch')
    }
  }

  function vmsOf({ vmCount, choices }: Launch) {
    const { vcpuCount, priceUsdPerHour } = (choices[0] ?? choice()).offer
    return Array.from({ length: vmCount }, () => vm({ state: 'starting' as const, vcpuCount, priceUsdPerHour }))
  }
})
