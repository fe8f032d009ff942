// run: a whole job in one command, from the task file to the report. Also `run --continue` and `run --dry-run`.

import { beginControls, type PoolLimitChange, settleOrder } from '../controls.ts'
import type { JobDb } from '../job-db.ts'
import { LaunchIntents } from '../launch-intents.ts'
import { ManagerLease } from '../manager-lease.ts'
import { StandingOrders } from '../obey-controls.ts'
import { PoolKeeper } from '../pool-keeper.ts'
import { isAboutMoney } from '../reconcile-money.ts'
import { buildReport } from '../report.ts'
import { requeueFailed } from '../requeue.ts'
import { type RunEnd, runJob } from '../run.ts'
import type { Choice } from '../select-offers.ts'
import { startupScriptFor } from '../startup-scripts.ts'
import { calmLog } from './calm-log.ts'
import { openDashboardOption } from './dashboard-command.ts'
import { showDryRun } from './dry-run.ts'
import { endJob, terminateVms } from './end-job.ts'
import { EXIT_CODES, type Interrupt, type Interrupts, watchInterrupts } from './interrupts.ts'
import type { Invocation } from './invocation.ts'
import { loadJobChoices } from './load-catalog.ts'
import { LOCAL_ROOT_VARIABLE } from './local-root.ts'
import { offerDump } from './offer-dump.ts'
import { type OpenJob, openJob } from './open-job.ts'
import { openPool, type PreparedJob, reopenJob, startAfresh } from './prepare-job.ts'
import { printReport } from './print-report.ts'
import { openProgress } from './progress-parts.ts'
import { tellOfEnding } from './tell-of-ending.ts'

export async function runCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  if (!options.has('quiet') && options.count('verbose') === undefined) terminal.setLogLevel('INFO')
  await using job = await openJob(invocation)
  // Whatever can be refused is refused before anything is touched.
  const choices = await loadJobChoices(job, invocation)
  const scriptOf = job.provider.name === 'local' ? scriptWriter(job) : undefined // on clouds the stack holds it
  const [best] = choices
  if (best !== undefined) scriptOf?.(best)
  if (options.has('dry-run')) return showDryRun(job, choices, invocation)

  using interrupts = watchInterrupts()
  const prepared = await uninterrupted(prepare(job, invocation), interrupts)
  if (typeof prepared === 'string') {
    terminal.showBlock([])
    terminal.log('WARNING', 'Interrupted before any VM was started. The same command starts again.')
    process.exit(EXIT_CODES[prepared]) // the preparation is still under way, and nobody waits for it any more
  }
  if (prepared === undefined) return 0
  try {
    await using _dashboard = await openDashboardOption(prepared.db.file, invocation)
    return await runPrepared(job, prepared, { choices, scriptOf, interrupts, invocation })
  } finally {
    prepared.db.close()
  }
}

function prepare(job: OpenJob, invocation: Invocation): Promise<PreparedJob | undefined> {
  return invocation.options.has('continue')
    ? reopenJob(job, invocation, { vms: true })
    : startAfresh(job, invocation, { vms: true })
}

/** An interrupt while nothing runs yet is as good as a crash there: every step before the first VM can be repeated. */
async function uninterrupted<T>(work: Promise<T>, interrupts: Interrupts): Promise<T | Interrupt> {
  work.catch(() => {}) // reported through the race, unless the interrupt won it
  return Promise.race([work, interrupts.next()])
}

interface RunParts {
  readonly choices: readonly Choice[]
  readonly scriptOf: ((choice: Choice, endBy?: Date) => string) | undefined
  readonly interrupts: Interrupts
  readonly invocation: Invocation
}

async function runPrepared(job: OpenJob, { db, send }: PreparedJob, parts: RunParts): Promise<number> {
  const { choices, scriptOf, interrupts, invocation } = parts
  const { options, terminal } = invocation
  const { config, queues, provider } = job
  const log = calmLog(terminal)
  using lease = new ManagerLease(db.sqlite)
  const orders = new StandingOrders(standingLimits(db, invocation))
  const keeper = new PoolKeeper({
    lease,
    orders: () => orders.now,
    pool: openPool(job),
    taskQueue: queues.tasks,
    db,
    intents: new LaunchIntents(db.sqlite),
    config,
    choices,
    scriptOf,
    log,
  })
  const capUsd = () => orders.now.limits.maxTotalCostUsd ?? config.pool.maxTotalCostUsd
  await using progress = await openProgress({ job, db, keeper, capUsd, invocation })
  const outputFile = options.text('output-file')
  const stop = new AbortController()
  const running = runJob({
    provider,
    tasks: queues.tasks,
    events: queues.events,
    db,
    keeper,
    load: signal => send(signal),
    lookSeconds: lookSeconds(job),
    onProgress: progress.update,
    onBatch: progress.hear,
    orders,
    requeue: () => requeueDead(db, queues),
    log,
    signal: stop.signal,
    ...(outputFile === undefined ? undefined : { outputFile }),
  })
  const end = await untilEndOrOrder(running, { interrupts, invocation })
  if (typeof end === 'object' && 'interrupt' in end) {
    stop.abort()
    await running
    terminal.showBlock([])
    if (end.order === 'terminate') await endJob(job, keeper, db, { deleteQueues: true, log })
    if (end.interrupt === 'SIGINT') await offerDump(db, job.jobId, invocation)
    terminal.log('WARNING', farewell(end.order, job))
    return EXIT_CODES[end.interrupt]
  }
  terminal.showBlock([])
  if (end.kind === 'stopped') {
    await terminateVms(keeper, log)
    settleOrder(db.sqlite, end.order, new Date())
    terminal.log('WARNING', `Stopped from the dashboard. Database and queues are kept; to go on: ${continueHint(job)}.`)
    return 1
  }
  if (end.kind === 'aborted') {
    await terminateVms(keeper, log)
    terminal.log(
      'ERROR',
      `The job stops: ${end.because}. Database and queues are kept; to go on: ${continueHint(job)}.`,
    )
    const stopped = { kind: 'aborted', because: end.because, overBudget: isAboutMoney(end.because) } as const
    await tellOfEnding(stopped, { job, db, report: buildReport(db, { now: new Date() }), interrupts, log })
    return 1
  }
  await endJob(job, keeper, db, { deleteQueues: true, log })
  const report = buildReport(db, { now: new Date() })
  printReport(report, db, invocation)
  await tellOfEnding({ kind: 'finished' }, { job, db, report, interrupts, log })
  return report.allCompleted ? 0 : 1
}

/** What was changed through the dashboard holds for the next manager too, unless it is told otherwise. */
function standingLimits(db: JobDb, { options, terminal }: Invocation): PoolLimitChange {
  const [instances, cost] = [options.value('max-instances'), options.value('max-total-cost')]
  const given = {
    ...(typeof instances === 'number' ? { maxInstances: instances } : undefined),
    ...(typeof cost === 'number' ? { maxTotalCostUsd: cost } : undefined),
  }
  const limits = beginControls(db.sqlite, given, new Date())
  for (const [name, value] of Object.entries(limits)) {
    terminal.log(
      'INFO',
      `${name === 'maxInstances' ? 'max_instances' : 'max_total_cost'} is ${value}, as it was set last`,
    )
  }
  return limits
}

async function requeueDead(db: JobDb, { tasks, dead }: OpenJob['queues']): Promise<number> {
  const { letterCount, rowCount } = await requeueFailed({ db, tasks, dead, statuses: ['failed'] })
  return letterCount + rowCount
}

type Order = 'terminate' | 'leave'

async function untilEndOrOrder(
  running: Promise<RunEnd>,
  { interrupts, invocation }: Pick<RunParts, 'interrupts' | 'invocation'>,
): Promise<RunEnd | { readonly interrupt: Interrupt; readonly order: Order }> {
  for (;;) {
    const first = await Promise.race([running, interrupts.next()])
    if (typeof first === 'object') return first
    if (first !== 'SIGINT') return { interrupt: first, order: 'leave' }
    const order = await askOrder(running, invocation)
    if (order !== 'continue') return { interrupt: first, order }
  }
}

/** The job goes on meanwhile; when it ends first, the question is moot. */
async function askOrder(running: Promise<RunEnd>, { terminal }: Invocation): Promise<Order | 'continue'> {
  const moot = new AbortController()
  const over = running.then(
    () => moot.abort(),
    () => moot.abort(),
  )
  const question = 'Interrupted. (T)erminate the VMs and delete the queues, (L)eave everything running, or (C)ontinue? '
  for (;;) {
    const answer = await Promise.race([terminal.ask(question, { signal: moot.signal }), over.then(() => 'c')])
    if (answer === undefined) return moot.signal.aborted ? 'continue' : 'leave'
    const word = answer.trim().toLowerCase()
    if (word === 't' || word === 'terminate') return 'terminate'
    if (word === 'l' || word === 'leave') return 'leave'
    if (word === 'c' || word === 'continue') return 'continue'
  }
}

function farewell(order: Order, job: OpenJob): string {
  if (order === 'terminate')
    return `The VMs are ended and the queues deleted. The database is kept: ${continueHint(job)}.`
  return `VMs and queues are left as they are. To go on: ${continueHint(job)}; to end the VMs: cloud-tasks stop.`
}

function continueHint(_job: OpenJob): string {
  return 'cloud-tasks run --continue with the same options'
}

function scriptWriter({ config, jobId, queues, settings }: OpenJob): (choice: Choice, endBy?: Date) => string {
  const root = settings.local?.root
  const extra = root === undefined ? {} : { [LOCAL_ROOT_VARIABLE]: root }
  return (choice, endBy) =>
    startupScriptFor(choice, { config, jobId, queueName: queues.tasks.name, extra, paidUntil: endBy })
}

/** Looking is free on this machine, and a request that is counted and throttled in a cloud. */
function lookSeconds({ config, provider }: OpenJob): number {
  return provider.name === 'local' ? Math.min(1, config.watch.scalingCheckSeconds) : config.watch.scalingCheckSeconds
}
