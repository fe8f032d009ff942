// Records how a simulated job went, as its manager would have seen it, with what came of it: to see how well ends are foretold.
import type { ProgressSample } from '../../manager/eta-history.ts'
import { microUsdOf } from '../../manager/ledger.ts'
import { selectOffers } from '../../manager/select-offers.ts'
import { runReconciler } from './run-reconciler.ts'
import { configOf, offerOf } from './scenario.ts'
import { seeded } from './seeded-random.ts'
import { SimulatedCloud } from './simulated-cloud.ts'

export interface RecordedRun {
  readonly name: string
  readonly moments: readonly RecordedMoment[]
  readonly endMs: number
  readonly costUsd: number
}

export interface RecordedMoment extends ProgressSample {
  readonly spentUsd: number
  /** Tasks that have ended since the moment before. */
  readonly taskSeconds: readonly number[]
}

/** How long tasks take, as a multiple of the mean. `share` in [0, 1): how far in the task file the task stands. */
type Shape = (luck: number, share: number) => number

const SHAPES: Readonly<Record<string, Shape>> = {
  equal: () => 1,
  'a little different': luck => 0.5 + luck,
  'as chance would have it': luck => -Math.log(1 - luck),
  'two kinds': luck => (luck < 0.8 ? 0.4 : 3.4),
  'heavy-tailed': luck => Math.min(20, 0.5 * (1 - luck) ** (-1 / 2)),
  'getting longer': (luck, share) => (0.5 + share) * (0.5 + luck),
  'in bursts': (luck, share) => (Math.sin(share * 40) > 0.5 ? 2.5 : 0.5) * (0.5 + luck),
}

/** A job drawn from `seed`: its tasks, its VMs, how often they are taken away, how many fail to come. */
export async function recordRun(seed: number): Promise<RecordedRun> {
  const random = seeded(seed)
  const pick = <T>(items: readonly [T, ...T[]]): T => items[Math.floor(random() * items.length)] ?? items[0]
  const shapes = Object.keys(SHAPES)
  const shape = shapes[seed % shapes.length] ?? 'equal'
  const secondsOf = SHAPES[shape] ?? (() => 1)
  const vmCount = pick([2, 5, 20, 60])
  const meanTaskSeconds = pick([2, 30, 300])
  const hours = pick([0.3, 1, 3])
  const taskCount = Math.min(15_000, Math.max(60, Math.round((vmCount * 4 * hours * 3600) / meanTaskSeconds)))
  const preemptionsPerHour = pick([0, 0.1, 0.5, 2])
  const config = configOf({ max_instances: vmCount, max_total_price_per_hour: 1000, scaling_check_interval: 20 })
  const places = ['z-1', 'z-2'].map(zone => ({
    offer: offerOf({ instanceType: 't-4', vcpuCount: 4, zone, priceUsdPerHour: 0.05 }),
    capacity: Math.ceil(vmCount * pick([0.4, 0.7, 2])),
    preemptionsPerHour,
    droughtShare: pick([0, 0, 0.3]),
  }))
  const choices = selectOffers(
    places.map(({ offer }) => offer),
    config,
    { spot: true },
  )
  let ended: number[] = []
  const cloud = new SimulatedCloud({
    seed,
    taskCount,
    meanTaskSeconds,
    tasksPerVm: vcpuCount => vcpuCount,
    places,
    bootSeconds: pick([5, 90]),
    failureRate: pick([0, 0.05]),
    idleShutdownSeconds: 300,
    secondsOf: task => meanTaskSeconds * secondsOf(seeded(seed * 1_000_003 + task)(), task / taskCount),
    onDone: seconds => ended.push(seconds),
  })
  const costUsd = () => cloud.allVms().reduce((sum, vm) => sum + microUsdOf(vm, new Date(cloud.nowMs)), 0) / 1e6
  const moments: RecordedMoment[] = []
  const look = () => {
    const vms = cloud.allVms()
    const inState = (state: string) => vms.filter(vm => vm.state === state)
    const [running, starting] = [inState('running'), inState('starting')]
    moments.push({
      atMs: cloud.nowMs,
      doneCount: cloud.doneCount,
      unfinishedCount: cloud.unfinishedCount,
      slotCount: running.reduce((sum, vm) => sum + vm.vcpuCount, 0),
      startingSlotCount: starting.reduce((sum, vm) => sum + vm.vcpuCount, 0),
      lostSlotCount: vms.filter(vm => vm.endReason === 'preempted').reduce((sum, vm) => sum + vm.vcpuCount, 0),
      usdPerHour: [...running, ...starting].reduce((sum, vm) => sum + (vm.priceUsdPerHour ?? 0), 0),
      spentUsd: costUsd(),
      taskSeconds: ended,
    })
    ended = []
    return false
  }
  await runReconciler({ cloud, config, choices, crash: look })
  const name = `${taskCount} tasks of ${meanTaskSeconds} s, ${shape}, ${vmCount} VMs, ${preemptionsPerHour} preemptions an hour`
  return { name, moments, endMs: cloud.nowMs, costUsd: costUsd() }
}
