// Keeps the job's VMs as the reconciler wants them: looks, decides, acts, and remembers what happened. Owns no decision itself.
import { type Clock, systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { VmId } from '../core/ids.ts'
import type { JobConfig } from '../core/job-config.ts'
import type { Pool, QueueAdmin, Vm } from '../infra/provider.ts'
import type { AppliedBatch } from './applied-batch.ts'
import { type PoolOrders, withLimits } from './controls.ts'
import { DecisionLog, readFirstDecisionAt } from './decisions.ts'
import type { JobDb } from './job-db.ts'
import { FORGOTTEN_AFTER_MS, foreignVms, type KeeperMemory } from './keeper-memory.ts'
import type { LaunchIntents } from './launch-intents.ts'
import { microUsdOf } from './ledger.ts'
import type { ManagerLease } from './manager-lease.ts'
import { Launcher } from './pool-keeper-launch.ts'
import { paidUntil, poolTimesOf } from './pool-times.ts'
import { type Action, type PoolView, reconcile } from './reconcile.ts'
import { type PoolSums, sumOf } from './reconcile-launch.ts'
import { type Choice, tasksPerVm } from './select-offers.ts'
import { historyOf, rankChoices } from './select-rank.ts'
import { SpotMarket } from './spot-market.ts'
import { VmWatch } from './vm-watch.ts'

export interface PoolKeeperOptions {
  readonly pool: Pool
  readonly taskQueue: { readonly admin: Pick<QueueAdmin, 'depth'> }
  readonly db: KeeperDb
  readonly intents: LaunchIntents
  readonly config: JobConfig
  /** Best first: spot, then what may replace it. Where asking costs, for the VMs that are there: none if it needs no other. */
  readonly choices: readonly Choice[] | ((active: readonly Vm[]) => Promise<readonly Choice[]>)
  /** Absent where VMs boot from the template of the job's stack. `endBy`: when the VM must end by itself, or the job's limit of money does not hold without a manager. */
  readonly scriptOf?: ((choice: Choice, endBy?: Date) => string) | undefined
  readonly log: KeeperLog
  /** What people ask for meanwhile. */
  readonly orders?: () => PoolOrders
  /** Without one, nobody else may look after the job. */
  readonly lease?: Pick<ManagerLease, 'renew'>
  /** Of the keeper that this one follows, where the DB does not hold all of the job. */
  readonly memory?: KeeperMemory
  /** Makes the DB and the memory durable where they are not: called before the cloud is asked to change anything. */
  readonly persist?: () => Promise<void>
  /** Whether one VM has to show that it can work before others are started. Default: in real clouds. */
  readonly canary?: boolean
  /** `unfinishedCount` is rough. */
  readonly roughCount?: boolean
  readonly clock?: Clock
}

/** What of the job DB a keeper needs. */
export type KeeperDb = Pick<JobDb, 'sqlite' | 'unfinishedCount' | 'vms' | 'saveVms'>

export type KeeperLog = (level: 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR', text: string) => void

export class PoolKeeper {
  readonly #options: PoolKeeperOptions
  readonly #clock: Clock
  readonly #watch: VmWatch
  readonly #market: SpotMarket
  #vms: readonly Vm[] = []
  readonly #launcher: Launcher
  readonly #decisions: DecisionLog
  readonly #slotsOf: (vm: { readonly vcpuCount: number }) => number
  #lastReason = ''
  readonly #warned = new Set<string>()
  #nobodyWorks = false
  readonly #canary: boolean
  /** Ended before this job began. */
  #foreign: ReadonlySet<VmId> | undefined

  constructor(options: PoolKeeperOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#canary = options.canary ?? options.config.provider !== 'local'
    const { config, db, memory } = options
    const vms = db.vms()
    this.#watch = new VmWatch(
      this.#now(),
      memory === undefined ? { proven: vms.some(vm => vm.attemptCount > 0) } : { ...memory.watch, vms },
    )
    this.#market = new SpotMarket(config.pool.onDemandFallback, memory?.market)
    if (memory === undefined) for (const vm of vms) if (vm.endReason === 'preempted') this.#market.preempted()
    this.#decisions = new DecisionLog(db.sqlite)
    this.#slotsOf = ({ vcpuCount }) => tasksPerVm(vcpuCount, config.tasks)
    this.#launcher = new Launcher({
      ...options,
      slotsOf: this.#slotsOf,
      market: this.#market,
      watch: this.#watch,
      warnOnce: text => this.#warnOnce(text),
      now: () => this.#now(),
    })
  }

  /** As of the last look. */
  get vms(): readonly Vm[] {
    return this.#vms
  }

  /** What the running VMs of the last look add up to. */
  get sums(): PoolSums {
    const running = this.#vms.filter(vm => vm.state === 'running')
    return sumOf(running, this.#options.config.tasks)
  }

  /** Tasks that they can run at once. */
  get slotCount(): number {
    return this.sums.slotCount
  }

  /** True if at the last look no VM held a task, or there was none. */
  get nobodyWorks(): boolean {
    return this.#nobodyWorks
  }

  /** What the collector heard. */
  hear({ heardAt, stored }: Pick<AppliedBatch, 'heardAt' | 'stored'>): void {
    this.#watch.hear(heardAt, stored)
  }

  /** What the task queue shows where nobody hears the agents: whether tasks run, and whether some wait for a VM. */
  seeQueue({ worked, waits }: { readonly worked: boolean; readonly waits: boolean }): void {
    if (worked) this.#watch.sawWork()
    this.#watch.workWaits = waits
  }

  /** The event queue was read to its end: who said nothing until now is silent. */
  heardAll(): void {
    this.#watch.heardAll(this.#now())
  }

  /** Looks, decides, acts. Resolves to why the job cannot go on, if so. Rejects only if another manager has the job. */
  async tick(): Promise<string | undefined> {
    const { log, lease, choices: known } = this.#options
    const startedAt = this.#now()
    lease?.renew(startedAt)
    this.#watch.awake(startedAt)
    if (this.#options.intents.unsettled(startedAt).length > 0) await this.#options.persist?.()
    const unanswered = await this.#launcher.repeatUnanswered()
    const vms = await this.#look()
    const idle = await this.#idleVms(vms)
    const active = vms?.filter(vm => vm.state !== 'terminated')
    this.#nobodyWorks = active?.every(vm => idle.has(vm.id)) ?? false
    const choices = typeof known === 'function' ? await known(active ?? []) : known
    const view = this.#view({ vms, idle, choices: unanswered ? [] : choices })
    const decision = reconcile(view)
    this.#decisions.record(view, decision)
    lease?.renew(this.#now()) // looking may have taken long
    for (const warning of decision.warnings) this.#warnOnce(warning)
    if (decision.reason !== this.#lastReason) log('DEBUG', `VMs: ${decision.reason}`)
    this.#lastReason = decision.reason
    const intents = decision.actions.flatMap(action => (action.kind === 'launch' ? this.#launcher.intend(action) : []))
    if (decision.actions.length > 0) await this.#options.persist?.()
    for (const action of decision.actions) {
      const aborted = await this.#act(action)
      if (aborted !== undefined) return aborted
    }
    for (const intent of intents) await this.#launcher.ask(intent)
    return undefined
  }

  /** For a keeper in another process, together with the DB. */
  memory(): KeeperMemory {
    return {
      begunAt: this.#begunAt(),
      earlierUsd: this.#options.memory?.earlierUsd ?? 0,
      market: this.#market.memory(this.#now()),
      watch: this.#watch.memory(),
    }
  }

  #view({ vms, idle, choices }: Pick<PoolView, 'vms' | 'idle' | 'choices'>): PoolView {
    const { db } = this.#options
    const orders = this.#options.orders?.()
    const config = withLimits(this.#options.config, orders?.limits)
    const now = this.#now()
    const records = db.vms()
    const history = historyOf(records, now)
    return {
      now,
      config,
      unfinishedCount: db.unfinishedCount(),
      vms,
      idle,
      choices: rankChoices(this.#market.usable(choices, now), config.tasks, history),
      signs: this.#watch.signs(),
      spentUsd: this.#spentUsd(records),
      ...poolTimesOf(config),
      ...(config.pool.maxTotalCostUsd === undefined ? undefined : { paidUntil: paidUntil(records) }),
      stillborn: this.#watch.stillborn(),
      ...(this.#canary && !this.#watch.proven() ? { unproven: true } : undefined),
      ...(this.#options.roughCount ? { roughCount: true } : undefined),
      ...(orders === undefined ? undefined : { orders }),
    }
  }

  /** Ends every VM of the job, also those of which only the cloud knows. Rejects if the cloud refuses. */
  async terminateAll(): Promise<number> {
    const { pool, db, intents } = this.#options
    const active = (await pool.list()).filter(vm => vm.state !== 'terminated')
    await pool.terminate(active.map(vm => vm.id))
    const foreign = this.#foreign
    this.#vms = (await pool.list()).filter(vm => foreign?.has(vm.id) !== true)
    this.#adopt(this.#vms)
    db.saveVms(this.#vms, this.#now(), { complete: true, slotsOf: this.#slotsOf })
    if (db.unfinishedCount() === 0) intents.forgetUnanswered()
    return active.length
  }

  spentUsd(): number {
    return this.#spentUsd(this.#options.db.vms())
  }

  #spentUsd(records: readonly Vm[]): number {
    const { intents, memory } = this.#options
    const now = this.#now()
    const microUsd = records.reduce((sum, vm) => sum + microUsdOf(vm, now), 0)
    return microUsd / 1e6 + intents.writtenOffUsd() + (memory?.earlierUsd ?? 0)
  }

  async #look(): Promise<readonly Vm[] | undefined> {
    const { pool, db, intents, log, memory } = this.#options
    let vms: readonly Vm[]
    try {
      vms = await pool.list()
    } catch (error) {
      log('ERROR', `The VMs could not be listed; trying again: ${messageOf(error)}`)
      return undefined
    }
    this.#foreign ??= foreignVms(vms, {
      known: new Set(db.vms().map(vm => vm.id)),
      begunAt: this.#begunAt(),
      countedUntil: memory === undefined ? undefined : new Date(this.#clock.now() - FORGOTTEN_AFTER_MS),
    })
    const foreign = this.#foreign
    vms = vms.filter(vm => !foreign.has(vm.id))
    this.#adopt(vms)
    db.saveVms(vms, this.#now(), { complete: true, slotsOf: this.#slotsOf })
    intents.forgetOld(this.#now())
    for (const vm of this.#watch.see(vms, this.#now())) {
      if (vm.endReason === 'preempted') this.#market.preempted()
      log('INFO', `VM ${vm.id} ended: ${vm.endReason ?? 'reason unknown'}`)
    }
    this.#vms = vms
    return vms
  }

  /** VMs of launches that were never answered: the money reserved for them is theirs. */
  #adopt(vms: readonly Vm[]): void {
    const { db, intents } = this.#options
    const known = new Set(db.vms().map(vm => vm.id))
    for (const vm of vms) {
      if (known.has(vm.id)) continue
      db.saveVms([vm], this.#now(), { paidSeconds: intents.paidSecondsOfFound(vm.launchedAt), slotsOf: this.#slotsOf })
    }
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
    const { log, pool } = this.#options
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
      case 'launch': // after all else
        return undefined
    }
  }

  #begunAt(): Date | undefined {
    return this.#options.memory?.begunAt ?? readFirstDecisionAt(this.#options.db.sqlite)
  }

  #warnOnce(text: string): void {
    this.#options.log(this.#warned.has(text) ? 'DEBUG' : 'WARNING', text)
    this.#warned.add(text)
  }

  #now(): Date {
    return new Date(this.#clock.now())
  }
}

const IDLE_LOOK_TASKS_PER_VM = 1000 // with more tasks left than this, VMs are not idle and the queue need not be asked
