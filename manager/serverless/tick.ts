// One look at a job by a manager that lives only as long: what it knows comes from the queue, the listing of VMs and the
// note, and what it learns goes back into the note. Decides nothing itself: the pool keeper does, as for every manager.
import { type Clock, systemClock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import type { JobConfig } from '../../core/job-config.ts'
import type { PackedJob } from '../../core/packed-job.ts'
import type { Pool, Provider, QueueAdmin, QueueDepth, QueueOptions, Vm } from '../../infra/provider.ts'
import { loadChoices } from '../choices.ts'
import { type KeeperLog, PoolKeeper } from '../pool-keeper.ts'
import { sumOf } from '../reconcile-launch.ts'
import type { Choice } from '../select-offers.ts'
import { ClaimedNote, Superseded } from './claimed-note.ts'
import { type DbOfVms, memorize, openDbOfVms } from './db-of-vms.ts'
import { begunAnew, nothingRemembered, type Remembered } from './remembered.ts'

export interface TickOptions {
  readonly provider: Pick<Provider, 'openCatalog' | 'openNotebook' | 'openPool'> & {
    openQueue(name: string, options: QueueOptions): { readonly admin: Pick<QueueAdmin, 'depth'> }
  }
  readonly job: PackedJob
  /** By then this process is surely ended, or at least does nothing for the job any more. */
  readonly until: Date
  readonly log: KeeperLog
  readonly clock?: Clock
  /** From one tick to the next. */
  readonly lookSeconds?: number
  /** Where VMs do not boot from a template of the job's stack. */
  readonly scriptOf?: (choice: Choice, endBy?: Date) => string
  /** Default: in real clouds. */
  readonly canary?: boolean
}

export type TickSummary =
  | {
      readonly kind: 'looked'
      /** Messages in the task queue, held ones too. */
      readonly backlog: number
      readonly vmCount: number
      readonly spentUsd: number
      readonly usdPerHour: number
      readonly reason: string
      /** Why nothing is launched any more, if so. */
      readonly stopped?: string
    }
  /** Another look is under way, or an order came: nothing was done. */
  | { readonly kind: 'superseded'; readonly because: string }

const LOOK_SECONDS = 60 // what schedules of cloud functions can do at best
/** An approximate count settles within a minute; after so long an empty queue is empty. */
const SURELY_EMPTY_SECONDS = 600
/** Leases that agents of an earlier deploy have left behind are over by then. */
const MAX_FOREIGN_SECONDS = 120
const SHRUNK = 0.9 // of an approximate count: more than its usual error

/**
 * Read first, claim second, act third, remember last. Killed before the claim, nothing has happened. Killed after it, the
 * note holds every launch that may have been asked for, and the look after next repeats it by its token. Rejects with
 * nothing half done that another look would not mend.
 */
export async function serverlessTick(options: TickOptions): Promise<TickSummary> {
  const { provider, job, until, clock = systemClock } = options
  const now = new Date(clock.now())
  const note = new ClaimedNote(provider.openNotebook(job), { jobId: job.jobId, until })
  const before = recall(await note.read(), job, now)
  if (before.busy !== undefined && before.busy.until > now) {
    return { kind: 'superseded', because: `another look is under way until ${before.busy.until.toISOString()}` }
  }
  if (before.stopped?.handedOver === true) return { kind: 'superseded', because: before.stopped.because }
  const depth = await depthOf(options)
  const backlog = depth.ready + depth.leased + depth.delayed
  const emptySince = backlog === 0 ? (before.emptySince ?? now) : undefined
  using db = openDbOfVms(before, { unfinishedCount: backlog, now })
  const look = new Look({ ...options, clock, note, db, before, depth, backlog, emptySince })
  try {
    await look.act()
  } catch (error) {
    if (error instanceof Superseded) return { kind: 'superseded', because: error.message }
    await note.release(look.remembered())
    throw error
  }
  const after = look.remembered()
  await note.release(after)
  return { kind: 'looked', backlog, ...look.sums(), ...(after.stopped && { stopped: after.stopped.because }) }
}

function recall(remembered: Remembered | undefined, { deployId }: PackedJob, now: Date): Remembered {
  if (remembered === undefined) return nothingRemembered(deployId, now)
  if (remembered.deployId === undefined) return { ...remembered, deployId }
  return remembered.deployId === deployId ? remembered : { ...begunAnew(remembered, now), deployId }
}

async function depthOf({ provider, job }: TickOptions): Promise<QueueDepth> {
  const queue = provider.openQueue(job.queueName, { leaseSeconds: job.config.tasks.leaseSeconds })
  const depth = await queue.admin.depth()
  if (depth !== undefined) return depth
  throw new UserError(`Queue "${job.queueName}" does not exist: deploy job "${job.jobId}".`)
}

interface LookParts extends TickOptions {
  readonly clock: Clock
  readonly note: ClaimedNote
  readonly db: DbOfVms
  readonly before: Remembered
  readonly depth: QueueDepth
  readonly backlog: number
  readonly emptySince: Date | undefined
}

class Look {
  readonly #parts: LookParts
  readonly #keeper: PoolKeeper
  #stopped: Remembered['stopped']
  #reason: string
  #unlisted: unknown

  constructor(parts: LookParts) {
    const { provider, job, log, clock, note, db, before, depth, emptySince } = parts
    const { scriptOf, canary = job.config.provider !== 'local', lookSeconds = LOOK_SECONDS } = parts
    this.#parts = parts
    this.#stopped = before.stopped
    this.#reason = before.reason ?? ''
    const { jobId, config } = job
    const emptySeconds = emptySince === undefined ? 0 : (clock.now() - emptySince.getTime()) / 1000
    const surelyEmpty = emptySeconds > config.boot.idleShutdownSeconds + SURELY_EMPTY_SECONDS
    const worked = this.#worked()
    const untried = !worked && !before.keeper.watch.proven
    this.#keeper = new PoolKeeper({
      pool: this.#watched(provider.openPool({ jobId, ...(config.region && { region: config.region }) })),
      taskQueue: { admin: { depth: async () => depth } },
      db,
      intents: db.intents,
      config: watching(config, { lookSeconds, untried: untried && depth.ready > 0 }),
      choices: active => this.#choices(active, canary && untried),
      log: (level, text) => {
        if (level === 'DEBUG' && text.startsWith('VMs: ')) this.#reason = text.slice('VMs: '.length)
        log(level, text)
      },
      memory: before.keeper,
      persist: () => note.claim(this.remembered()),
      roughCount: depth.estimated && !surelyEmpty,
      clock,
      canary,
      ...(scriptOf && { scriptOf }),
    })
    this.#keeper.seeQueue({ worked, waits: depth.ready > 0 })
  }

  async act(): Promise<void> {
    const { log, note, before, clock } = this.#parts
    if (before.stopped !== undefined) {
      this.#reason = `the job is stopped: ${before.stopped.because}`
      if (before.vms.some(vm => vm.state !== 'terminated') || before.intents.length > 0) {
        await note.claim(this.remembered())
        await this.#keeper.terminateAll()
      }
      return
    }
    const because = await this.#keeper.tick()
    if (this.#unlisted !== undefined) throw this.#unlisted
    if (because === undefined) return
    log('ERROR', `The job stops: ${because}.`)
    this.#reason = `the job is stopped: ${because}`
    this.#stopped = { because, at: new Date(clock.now()) }
  }

  remembered(): Remembered {
    const { before, db, backlog, emptySince, clock } = this.#parts
    const { deployId } = before
    const memory = this.#keeper.memory()
    const { vms, earlierUsd } = memorize(db, this.#keeper.vms, new Date(clock.now()))
    return {
      deployId,
      stopped: this.#stopped,
      backlog,
      emptySince,
      reason: this.#reason,
      keeper: { ...memory, earlierUsd: memory.earlierUsd + earlierUsd },
      vms,
      intents: db.intents.stored(),
    }
  }

  sums() {
    const active = this.#keeper.vms.filter(vm => vm.state === 'starting' || vm.state === 'running')
    return {
      vmCount: active.length,
      spentUsd: this.#keeper.spentUsd(),
      usdPerHour: active.reduce((sum, vm) => sum + (vm.priceUsdPerHour ?? 0), 0),
      reason: this.#reason,
    }
  }

  /** A catalogue is many requests: it is asked only when more VMs may be needed. */
  async #choices(active: readonly Vm[], onlyOne: boolean): Promise<readonly Choice[]> {
    const { provider, job, backlog } = this.#parts
    const kept = active.filter(vm => vm.state !== 'stopping')
    const { slotCount } = sumOf(kept, job.config.tasks)
    if (backlog <= slotCount || (onlyOne && kept.length > 0)) return []
    const catalog = provider.openCatalog()
    return loadChoices(job.config, query => catalog.offers(query))
  }

  /** A keeper goes on without a listing; here there is no next moment, so the look has failed. */
  #watched(pool: Pool): Pool {
    return {
      launch: plan => pool.launch(plan),
      terminate: ids => pool.terminate(ids),
      list: async options => {
        try {
          return await pool.list(options)
        } catch (error) {
          this.#unlisted = error
          throw error
        }
      },
    }
  }

  /** Nobody reads the agents' events, but somebody took tasks from the queue. */
  #worked(): boolean {
    const { depth, backlog, before, clock, job } = this.#parts
    const vms = before.vms.filter(vm => vm.state !== 'terminated')
    if (vms.length === 0) return false
    const foreignMs = Math.min(job.config.tasks.leaseSeconds, MAX_FOREIGN_SECONDS) * 1000
    const old = vms.some(vm => clock.now() - vm.launchedAt.getTime() > foreignMs)
    return (old && depth.leased > 0) || backlog < (before.backlog ?? 0) * (depth.estimated ? SHRUNK : 1)
  }
}

/** Nobody hears the agents, so silence proves nothing: but VMs that have never taken a task while tasks waited are of no use. */
function watching(
  config: JobConfig,
  { lookSeconds, untried }: { readonly lookSeconds: number; readonly untried: boolean },
): JobConfig {
  const { startupTimeoutSeconds } = config.watch
  return {
    ...config,
    watch: {
      ...config.watch,
      scalingCheckSeconds: lookSeconds,
      silenceTimeoutSeconds: 0,
      startupTimeoutSeconds: untried ? startupTimeoutSeconds : 0,
    },
  }
}
