// Runs the manager's own pool keeper, with its real database, in a simulated cloud until the job is done or given up.
import type { JobConfig } from '../../core/job-config.ts'
import type { Pool, Queue } from '../../infra/provider.ts'
import { openJobDb } from '../../manager/job-db.ts'
import { LaunchIntents } from '../../manager/launch-intents.ts'
import { PoolKeeper } from '../../manager/pool-keeper.ts'
import type { Choice } from '../../manager/select-offers.ts'
import type { SimulatedCloud } from './simulated-cloud.ts'

export interface ReconcilerRun {
  readonly decisionCount: number
  /** Of CPU time, in the pool keeper: a busy machine does not change it much. */
  readonly decidingSeconds: number
  readonly aborted: string | undefined
  readonly simulatedSeconds: number
  /** Of the job DB when all is over. */
  readonly knownVmIds: readonly string[]
  readonly storedDecisionCount: number
}

export interface ReconcilerRunOptions {
  readonly cloud: SimulatedCloud
  readonly config: JobConfig
  readonly choices: readonly Choice[]
  /** Called before each decision with its number: true kills the manager, and another one goes on with its database. */
  readonly crash?: (decision: number) => boolean
  /** Seconds until the next decision; default: the job's interval. A long one is a manager that sleeps. */
  readonly pauseSeconds?: (decision: number) => number
  readonly maxDecisions?: number
  /** The manager is gone for good after the last decision, and leaves its VMs alone. */
  readonly abandon?: boolean
}

/** Virtual days that no job here may take. */
const MAX_DECISIONS = 20_000

export async function runReconciler(options: ReconcilerRunOptions): Promise<ReconcilerRun> {
  const { cloud, config, crash, maxDecisions = MAX_DECISIONS } = options
  const { pauseSeconds = () => config.watch.scalingCheckSeconds } = options
  const db = openJobDb(':memory:', { mode: 'create' })
  const startedMs = cloud.nowMs
  let keeper = openKeeper(options, db)
  let decidingMs = 0
  let decisionCount = 0
  let aborted: string | undefined
  let heardDoneCount = -1
  while (decisionCount < maxDecisions) {
    if (crash?.(decisionCount) === true) keeper = openKeeper(options, db)
    const heardAt = new Map(cloud.readyIds().map(id => [id, new Date(cloud.nowMs)]))
    // The text is all that the keeper looks for: somewhere a task came to its end.
    keeper.hear({ heardAt, stored: cloud.doneCount > heardDoneCount ? ['{"task_id":"any"}'] : [] })
    heardDoneCount = cloud.doneCount
    keeper.heardAll()
    const before = process.cpuUsage()
    aborted = await keeper.tick()
    const { user, system } = process.cpuUsage(before)
    decidingMs += (user + system) / 1000
    decisionCount += 1
    if (aborted !== undefined || cloud.unfinishedCount === 0) break
    cloud.advance(cloud.nowMs + pauseSeconds(decisionCount) * 1000)
  }
  const simulatedSeconds = (cloud.nowMs - startedMs) / 1000
  if (options.abandon !== true) await terminateAll(keeper)
  const knownVmIds = db.vms().map(vm => vm.id)
  const stored = db.sqlite.prepare('SELECT count(*) AS count FROM decisions').get()
  db.close()
  const storedDecisionCount = Number(stored?.count)
  return {
    decisionCount,
    decidingSeconds: decidingMs / 1000,
    aborted,
    simulatedSeconds,
    knownVmIds,
    storedDecisionCount,
  }
}

function openKeeper({ cloud, config, choices }: ReconcilerRunOptions, db: ReturnType<typeof openJobDb>): PoolKeeper {
  const pool: Pool = cloud
  const taskQueue: Pick<Queue, 'admin'> = {
    admin: {
      depth: async () => cloud.depth,
      ensure: async () => {},
      purge: async () => {},
      remove: async () => {},
    },
  }
  return new PoolKeeper({
    pool,
    taskQueue,
    db: {
      sqlite: db.sqlite,
      unfinishedCount: () => cloud.unfinishedCount,
      vms: () => db.vms(),
      saveVms: (...vms) => db.saveVms(...vms),
    },
    intents: new LaunchIntents(db.sqlite),
    config,
    choices,
    scriptOf: (_choice, endBy) => (endBy === undefined ? '' : String(endBy.getTime())),
    log: () => {},
    clock: { now: () => cloud.nowMs, sleep: async () => {} },
  })
}

async function terminateAll(keeper: PoolKeeper): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await keeper.terminateAll()
      return
    } catch (error) {
      if (attempt === 100) throw error
    }
  }
}
