// Runs a loaded job to its end: sends what is pending, keeps the VMs, collects results, all at once, until no task is left.
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Provider, Queue } from '../infra/provider.ts'
import type { AppliedBatch } from './applied-batch.ts'
import { collectEvents } from './collector.ts'
import type { ControlOrder } from './controls.ts'
import type { JobDb } from './job-db.ts'
import { Looks } from './looks.ts'
import { obeyControls, type StandingOrders } from './obey-controls.ts'
import type { PoolKeeper } from './pool-keeper.ts'
import { resendLost } from './resend-lost.ts'
import { takeSamples } from './samples.ts'

export interface RunOptions {
  readonly provider: Provider
  readonly tasks: Queue
  readonly events: Queue
  readonly db: JobDb
  readonly keeper: PoolKeeper
  /** Sends what is pending in the DB. */
  readonly load: (signal: AbortSignal) => Promise<unknown>
  /** Between two looks at the VMs. */
  readonly lookSeconds: number
  readonly outputFile?: string
  readonly onProgress: () => void
  /** What was collected, once it is stored. */
  readonly onBatch?: (batch: AppliedBatch) => void
  /** What people ask for through the dashboard. */
  readonly orders: StandingOrders
  /** Puts what failed for good back into the queue; says how many. */
  readonly requeue: () => Promise<number>
  readonly log: (level: 'INFO' | 'WARNING' | 'ERROR', text: string) => void
  /** Ends the run and leaves VMs and queues as they are. */
  readonly signal: AbortSignal
}

export type RunEnd =
  | { readonly kind: 'finished' }
  /** The VMs are ended, the queues are kept. */
  | { readonly kind: 'aborted'; readonly because: string }
  /** By order; to be settled once the VMs are ended. */
  | { readonly kind: 'stopped'; readonly order: ControlOrder }
  /** By the signal. */
  | { readonly kind: 'left' }

/** A crash anywhere leaves a job that another run of it goes on with: all that counts is in the DB, the queues and the VM listing. */
export async function runJob(options: RunOptions): Promise<RunEnd> {
  const stop = new AbortController()
  const leave = () => stop.abort()
  options.signal.addEventListener('abort', leave, { once: true })
  if (options.signal.aborted) stop.abort()
  const looks = new Looks()
  const parts = [
    collect(options, stop.signal),
    keep(options, looks, stop.signal),
    obey(options, looks, stop.signal),
    sample(options, stop.signal),
    send(options, stop.signal),
    tell(options, stop.signal),
  ]
  stop.signal.addEventListener('abort', () => looks.end(), { once: true })
  try {
    const end = await Promise.race(parts)
    stop.abort()
    const [first] = await Promise.all(parts) // nothing of this run is under way when the caller goes on
    return first?.kind === 'finished' ? first : end
  } finally {
    stop.abort()
    await Promise.allSettled(parts)
    options.signal.removeEventListener('abort', leave)
  }
}

async function collect(
  { db, events, keeper, outputFile, onBatch, log }: RunOptions,
  signal: AbortSignal,
): Promise<RunEnd> {
  await collectEvents({
    queue: events,
    db,
    signal,
    untilFinished: true,
    onBatch: batch => {
      keeper.hear(batch)
      onBatch?.(batch)
    },
    warn: sentence => log('WARNING', sentence),
    ...(outputFile === undefined ? undefined : { outputFile }),
  })
  return db.unfinishedCount() === 0 ? { kind: 'finished' } : { kind: 'left' }
}

async function keep(options: RunOptions, looks: Looks, signal: AbortSignal): Promise<RunEnd> {
  const { keeper, lookSeconds, db, events, log } = options
  while (!signal.aborted) {
    const backlog = await events.admin.depth().catch(() => undefined)
    if (backlog !== undefined && backlog.ready + backlog.leased === 0) keeper.heardAll()
    const because = await looks.make(() => keeper.tick())
    if (because !== undefined) return { kind: 'aborted', because }
    if (db.unfinishedCount() > 0 && keeper.nobodyWorks) await resend(options)
    await systemClock.sleep(lookSeconds * 1000, looks.wanted(signal))
  }
  return { kind: 'left' }

  async function resend({ tasks }: RunOptions): Promise<void> {
    try {
      const count = await resendLost({ db, tasks, events })
      if (count > 0) log('WARNING', `${count} tasks were in no queue any more and have been sent again`)
    } catch (error) {
      log('ERROR', `Lost tasks could not be sent again; trying again: ${messageOf(error)}`)
    }
  }
}

async function obey(options: RunOptions, looks: Looks, signal: AbortSignal): Promise<RunEnd> {
  const { db, keeper, orders, requeue, log } = options
  const parts = { db, orders, requeue, log, lookNow: () => looks.next(), vms: () => keeper.vms }
  const order = await obeyControls(parts, signal)
  return order === undefined ? { kind: 'left' } : { kind: 'stopped', order }
}

async function sample({ db, tasks, keeper }: RunOptions, signal: AbortSignal): Promise<RunEnd> {
  await takeSamples({ sqlite: db.sqlite, taskQueue: tasks, pool: () => keeper.sums, signal })
  return { kind: 'left' }
}

async function send({ load }: RunOptions, signal: AbortSignal): Promise<RunEnd> {
  try {
    await load(signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
  await aborted(signal)
  return { kind: 'left' }
}

const TELL_MS = 200 // five times a second looks alive and costs nothing

async function tell({ onProgress }: RunOptions, signal: AbortSignal): Promise<RunEnd> {
  while (!signal.aborted) {
    onProgress()
    await systemClock.sleep(TELL_MS, signal)
  }
  return { kind: 'left' }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
