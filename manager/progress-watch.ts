// Looks at a running job again and again and remembers its course: what a display shows and what metrics tell comes from here.
import type { JobConfig } from '../core/job-config.ts'
import type { Queue, QueueDepth, Vm } from '../infra/provider.ts'
import { type EndForecast, forecastEnd } from './eta.ts'
import { ProgressHistory } from './eta-history.ts'
import type { JobDb } from './job-db.ts'
import { type StatusCounts, unfinishedCount } from './job-db-status.ts'
import { microUsdOf } from './ledger.ts'
import type { PoolKeeper } from './pool-keeper.ts'
import { doneCount, ProgressMeter, type ProgressView, usdPerHourOf, waitingAgainCount } from './progress.ts'
import { tasksPerVm } from './select-offers.ts'

export interface ProgressWatchOptions {
  readonly jobId: string
  readonly db: JobDb
  readonly config: Pick<JobConfig, 'pool' | 'tasks' | 'boot'>
  readonly tasks: Queue
  /** Without one the VMs are those in the DB. */
  readonly keeper?: Pick<PoolKeeper, 'vms' | 'spentUsd'>
  /** The limit in force, if it can change while the job runs. */
  readonly capUsd?: () => number | undefined
}

const FORECAST_EVERY_MS = 1000
const DEPTH_EVERY_MS = 1000
const ESTIMATE_EVERY_MS = 30_000 // a queue that only estimates also charges for the question
const VMS_EVERY_MS = 2000 // where they are read from the DB

export class ProgressWatch {
  readonly #options: ProgressWatchOptions
  readonly #meter = new ProgressMeter()
  readonly #history = new ProgressHistory()
  readonly #preempted = new Map<string, number>()
  #forecast: EndForecast | undefined
  #forecastAtMs = 0
  #depth: QueueDepth | undefined
  #depthAtMs = 0
  #vms: readonly Vm[] = []
  #vmsAtMs = 0

  constructor(options: ProgressWatchOptions) {
    this.#options = options
  }

  /** Events that were collected. */
  hear(events: readonly string[]): void {
    this.#history.hear(events)
  }

  look(): ProgressView {
    const { jobId, db, keeper, config } = this.#options
    const nowMs = Date.now()
    const counts = db.counts()
    const vms = this.#lookAtVms(nowMs)
    const spentUsd = keeper?.spentUsd() ?? vms.reduce((sum, vm) => sum + microUsdOf(vm, new Date(nowMs)), 0) / 1e6
    const capUsd = this.#options.capUsd?.() ?? config.pool.maxTotalCostUsd
    this.#askDepth(nowMs)
    if (nowMs - this.#forecastAtMs >= FORECAST_EVERY_MS) {
      this.#forecastAtMs = nowMs
      this.#remember(nowMs, counts, vms)
      this.#forecast = forecastEnd(this.#history.samples, {
        taskSeconds: this.#history.taskSeconds,
        againShare: this.#history.againShare,
        leftUsd: capUsd === undefined ? undefined : Math.max(0, capUsd - spentUsd),
        idleSeconds: config.boot.idleShutdownSeconds,
      })
    }
    return {
      jobId,
      now: new Date(nowMs),
      counts,
      heldCount: this.#heldCount(vms, unfinishedCount(counts) - counts.pending),
      vms,
      spentUsd,
      capUsd,
      tasksPerSecond: this.#meter.sample(doneCount(counts), nowMs),
      forecast: this.#forecast,
    }
  }

  /** Of the task queue, when it was last asked. */
  get depth(): QueueDepth | undefined {
    return this.#depth
  }

  slotsIn(vms: readonly Vm[], state: Vm['state']): number {
    const { tasks } = this.#options.config
    return vms.reduce((sum, vm) => sum + (vm.state === state ? tasksPerVm(vm.vcpuCount, tasks) : 0), 0)
  }

  #remember(atMs: number, counts: StatusCounts, vms: readonly Vm[]): void {
    for (const vm of vms) {
      if (vm.endReason === 'preempted') {
        this.#preempted.set(vm.id, tasksPerVm(vm.vcpuCount, this.#options.config.tasks))
      }
    }
    const known = vms.length > 0 || this.#options.keeper !== undefined
    this.#history.add({
      atMs,
      doneCount: doneCount(counts),
      unfinishedCount: unfinishedCount(counts),
      againCount: waitingAgainCount(counts),
      ...(known && {
        slotCount: this.slotsIn(vms, 'running'),
        startingSlotCount: this.slotsIn(vms, 'starting'),
        lostSlotCount: [...this.#preempted.values()].reduce((sum, slots) => sum + slots, 0),
        usdPerHour: usdPerHourOf(vms),
      }),
    })
  }

  #lookAtVms(nowMs: number): readonly Vm[] {
    const { keeper, db } = this.#options
    if (keeper !== undefined) return keeper.vms
    if (nowMs - this.#vmsAtMs >= VMS_EVERY_MS) {
      this.#vmsAtMs = nowMs
      this.#vms = db.vms()
    }
    return this.#vms
  }

  /** Agents take tasks ahead of need: more than there are places for do not run. Only where counting is exact and free. */
  #heldCount(vms: readonly Vm[], mostCount: number): number | undefined {
    const depth = this.#depth
    if (depth === undefined || depth.estimated) return undefined
    const slots = this.slotsIn(vms, 'running')
    return Math.min(depth.leased, mostCount, slots > 0 ? slots : Number.POSITIVE_INFINITY)
  }

  #askDepth(nowMs: number): void {
    if (nowMs - this.#depthAtMs < (this.#depth?.estimated === true ? ESTIMATE_EVERY_MS : DEPTH_EVERY_MS)) return
    this.#depthAtMs = nowMs
    this.#options.tasks.admin.depth().then(
      depth => {
        this.#depth = depth
      },
      () => {
        this.#depth = undefined
      },
    )
  }
}
