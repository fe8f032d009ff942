// Keeps the job's VMs as the reconciler wants them: looks, decides, acts, and remembers what happened. Owns no decision itself.
import { type Clock, systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { VmId } from '../core/ids.ts'
import type { JobConfig } from '../core/job-config.ts'
import type { LaunchFailure, LaunchPlan, Pool, Queue, Vm } from '../infra/provider.ts'
import type { AppliedBatch } from './applied-batch.ts'
import type { JobDb } from './job-db.ts'
import type { LaunchIntents } from './launch-intents.ts'
import { type Action, reconcile } from './reconcile.ts'
import { sumOf } from './reconcile-launch.ts'
import { costOfVm } from './report.ts'
import type { Choice } from './select-offers.ts'
import { SpotMarket } from './spot-market.ts'
import { VmWatch } from './vm-watch.ts'

export interface PoolKeeperOptions {
  readonly pool: Pool
  readonly taskQueue: Queue
  readonly db: JobDb
  readonly intents: LaunchIntents
  readonly config: JobConfig
  /** Best first: spot, then what may replace it. */
  readonly choices: readonly Choice[]
  readonly scriptOf: (choice: Choice) => string
  readonly log: KeeperLog
  readonly clock?: Clock
}

export type KeeperLog = (level: 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR', text: string) => void

export class PoolKeeper {
  readonly #options: PoolKeeperOptions
  readonly #clock: Clock
  readonly #watch: VmWatch
  readonly #market: SpotMarket
  #vms: readonly Vm[] = []
  #lastReason = ''
  readonly #warned = new Set<string>()
  #repeatAtMs = 0
  #nobodyWorks = false
  /** Ended before this job began. */
  #foreign: ReadonlySet<VmId> | undefined

  constructor(options: PoolKeeperOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#watch = new VmWatch(this.#now())
    this.#market = new SpotMarket(options.config.pool.onDemandFallback)
  }

  /** As of the last look. */
  get vms(): readonly Vm[] {
    return this.#vms
  }

  /** Tasks that the VMs of the last look can run at once. */
  get slotCount(): number {
    return sumOf(
      this.#vms.filter(vm => vm.state === 'running'),
      this.#options.config.tasks,
    ).slotCount
  }

  /** True if at the last look no VM held a task, or there was none. */
  get nobodyWorks(): boolean {
    return this.#nobodyWorks
  }

  /** What the collector heard. */
  hear({ heardAt, stored }: Pick<AppliedBatch, 'heardAt' | 'stored'>): void {
    this.#watch.hear(heardAt, stored)
  }

  /** The event queue was read to its end: who said nothing until now is silent. */
  heardAll(): void {
    this.#watch.heardAll(this.#now())
  }

  /** Looks, decides, acts. Resolves to why the job cannot go on, if so. Never rejects for a cloud's failure. */
  async tick(): Promise<string | undefined> {
    const { config, db, log } = this.#options
    const now = this.#now()
    this.#watch.awake(now)
    const unanswered = await this.#repeatLaunches(now)
    const vms = await this.#look()
    const idle = await this.#idleVms(vms)
    const active = vms?.filter(vm => vm.state !== 'terminated')
    this.#nobodyWorks = active?.every(vm => idle.has(vm.id)) ?? false
    const decision = reconcile({
      now,
      config,
      unfinishedCount: db.unfinishedCount(),
      vms,
      idle,
      choices: unanswered ? [] : this.#market.usable(this.#options.choices, now),
      signs: this.#watch.signs(),
      spentUsd: this.spentUsd(),
      horizonSeconds: Math.max(MIN_BILLED_SECONDS, config.watch.scalingCheckSeconds),
      stillborn: this.#watch.stillborn(),
    })
    for (const warning of decision.warnings) this.#warnOnce(warning)
    if (decision.reason !== this.#lastReason) log('DEBUG', `VMs: ${decision.reason}`)
    this.#lastReason = decision.reason
    for (const action of decision.actions) {
      const aborted = await this.#act(action)
      if (aborted !== undefined) return aborted
    }
    return undefined
  }

  /** Ends every VM of the job, also those of which only the cloud knows. Rejects if the cloud refuses. */
  async terminateAll(): Promise<number> {
    const { pool, db } = this.#options
    const active = (await pool.list()).filter(vm => vm.state !== 'terminated')
    await pool.terminate(active.map(vm => vm.id))
    const foreign = this.#foreign
    this.#vms = (await pool.list()).filter(vm => foreign?.has(vm.id) !== true)
    db.saveVms(this.#vms, this.#now(), { complete: true })
    return active.length
  }

  spentUsd(): number {
    const now = this.#now()
    return this.#options.db.vms().reduce((sum, vm) => sum + costOfVm(vm, now), 0)
  }

  /** The token makes a repetition harmless. True while some launch is still without an answer: then none may follow it. */
  async #repeatLaunches(now: Date): Promise<boolean> {
    const { intents, db } = this.#options
    if (db.unfinishedCount() === 0) return false
    if (now.getTime() >= this.#repeatAtMs) for (const plan of intents.unsettled(now)) await this.#launch(plan)
    return intents.unsettled(now).length > 0
  }

  async #look(): Promise<readonly Vm[] | undefined> {
    const { pool, db, log } = this.#options
    let vms: readonly Vm[]
    try {
      vms = await pool.list()
    } catch (error) {
      log('ERROR', `The VMs could not be listed; trying again: ${messageOf(error)}`)
      return undefined
    }
    this.#foreign ??= foreignVms(vms, db)
    const foreign = this.#foreign
    vms = vms.filter(vm => !foreign.has(vm.id))
    db.saveVms(vms, this.#now(), { complete: true })
    for (const vm of this.#watch.see(vms, this.#now())) {
      if (vm.endReason === 'preempted') this.#market.preempted()
      log('INFO', `VM ${vm.id} ended: ${vm.endReason ?? 'reason unknown'}`)
    }
    this.#vms = vms
    return vms
  }

  /** Nobody holds a task when none is held at all; more is not known. */
  async #idleVms(vms: readonly Vm[] | undefined): Promise<ReadonlySet<VmId>> {
    const running = vms?.filter(vm => vm.state === 'running') ?? []
    if (running.length === 0 || this.#options.db.unfinishedCount() > running.length * IDLE_LOOK_TASKS_PER_VM) {
      return new Set()
    }
    const depth = await this.#options.taskQueue.admin.depth().catch(() => undefined)
    if (depth === undefined || depth.estimated || depth.ready + depth.leased + depth.delayed > 0) return new Set()
    return new Set(running.map(vm => vm.id))
  }

  async #act(action: Action): Promise<string | undefined> {
    const { log, pool, intents, scriptOf } = this.#options
    switch (action.kind) {
      case 'abort':
        return action.because
      case 'terminate':
        log('INFO', `Ending ${action.ids.length} VMs: ${action.because}`)
        await pool
          .terminate(action.ids)
          .catch(error => log('ERROR', `VMs could not be ended; trying again: ${messageOf(error)}`))
        this.#watch.forget(action.ids)
        return undefined
      case 'launch':
        // Intent first, launch second: a crash between the two is repeated with the same token, never doubled.
        await this.#launch(
          intents.record(
            {
              vmCount: action.vmCount,
              spot: action.choices[0]?.spot ?? false,
              choices: action.choices.slice(0, MAX_CHOICES).map(choice => ({
                offer: choice.offer,
                bootDiskGib: choice.bootDiskGib,
                startupScript: scriptOf(choice),
              })),
            },
            this.#now(),
          ),
        )
        return undefined
    }
  }

  async #launch(plan: LaunchPlan): Promise<void> {
    const { pool, db, intents, log } = this.#options
    try {
      const { launched, failures } = await pool.launch(plan)
      db.saveVms(launched, this.#now())
      intents.settle(plan.token)
      this.#watch.see(launched, this.#now())
      for (const [what, count] of countBy(launched, vm => `${vm.instanceType} in ${vm.zone}`)) {
        log('INFO', `Started ${count} ${plan.spot ? 'spot ' : ''}VMs ${what}`)
      }
      this.#market.report(plan, launched.length, failures, this.#now())
      for (const failure of failures) this.#warnOnce(launchFailureText(failure))
    } catch (error) {
      // The cloud may or may not have heard us: the intent stays, and is repeated by its token.
      log('ERROR', `VMs could not be started; trying again in ${REPEAT_SECONDS} s: ${messageOf(error)}`)
      this.#repeatAtMs = this.#now().getTime() + REPEAT_SECONDS * 1000
    }
  }

  #warnOnce(text: string): void {
    this.#options.log(this.#warned.has(text) ? 'DEBUG' : 'WARNING', text)
    this.#warned.add(text)
  }

  #now(): Date {
    return new Date(this.#clock.now())
  }
}

const REPEAT_SECONDS = 15 // an API that refuses everything is asked four times a minute
const MIN_BILLED_SECONDS = 60 // clouds bill at least a minute
const MAX_CHOICES = 20 // as many as a fleet request takes
const IDLE_LOOK_TASKS_PER_VM = 1000 // with more tasks left than this, VMs are not idle and the queue need not be asked

/** VMs of an earlier job of the same name are still listed for a while; their cost is not this job's. */
function foreignVms(vms: readonly Vm[], db: JobDb): ReadonlySet<VmId> {
  const ours = new Set(db.vms().map(vm => vm.id))
  const ended = vms.filter(vm => (vm.state === 'terminated' || vm.state === 'stopping') && !ours.has(vm.id))
  return new Set(ended.map(vm => vm.id))
}

function launchFailureText({ reason, instanceType, zone, message }: LaunchFailure): string {
  return `No VM ${instanceType} in ${zone} (${reason}): ${message}`
}

function countBy<T>(items: readonly T[], key: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1)
  return counts
}
