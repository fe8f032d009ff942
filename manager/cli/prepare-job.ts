// Makes a job ready to run: its tasks in the database, its queues there and clean. Replaces an earlier run only after a yes.
import { existsSync } from 'node:fs'
import { UserError } from '../../core/errors.ts'
import type { Task } from '../../core/task.ts'
import type { Pool } from '../../infra/provider.ts'
import { readTaskFile } from '../../infra/task-file/read-task-file.ts'
import { type JobDb, openJobDb } from '../job-db.ts'
import type { JobFacts } from '../job-db-facts.ts'
import { totalCount } from '../job-db-status.ts'
import { buildJobDb, type LoadProgress, resumeLoading } from '../load-tasks.ts'
import { refuseIfHeld } from '../manager-lease.ts'
import type { Invocation } from './invocation.ts'
import { bringUpStack, ensureQueues } from './job-stack.ts'
import type { OpenJob } from './open-job.ts'
import { objectsFor } from './task-file-objects.ts'

export interface PrepareOptions {
  /** Whether the job's VMs are made here, too. Else its queues are enough. */
  readonly vms: boolean
}

export interface PreparedJob {
  readonly db: JobDb
  /** Sends what is pending. */
  readonly send: (signal: AbortSignal, onProgress?: (progress: LoadProgress) => void) => Promise<unknown>
}

/**
 * undefined = the user did not agree, and nothing was changed.
 *
 * Order: the whole task file is checked into a new DB beside the old one; then what the job needs is made in its cloud, which
 * may be refused; then the new DB takes the old one's place; then the VMs and messages of the earlier run go; then the new
 * tasks are sent. Refused or killed before the swap, the earlier job is untouched; killed after it, `--continue` sees that no
 * task was sent and cleans the queues again before it sends.
 */
export async function startAfresh(
  job: OpenJob,
  invocation: Invocation,
  { vms }: PrepareOptions,
): Promise<PreparedJob | undefined> {
  const { options, terminal } = invocation
  const taskFile = options.text('task-file')
  if (taskFile === undefined) throw new UserError('Which tasks? Give --task-file, or --continue to go on with a job.')
  const file = dbFileOf(job, invocation)
  const facts = {
    jobId: job.jobId,
    queueName: job.queues.tasks.name,
    provider: job.provider.name,
    taskFile,
    skip: Math.max(0, options.count('start-task') ?? 0),
    limit: Math.max(0, options.count('limit') ?? 0),
    ...(earlierFacts(file).madeStack ? { madeStack: true } : undefined), // kept for its dead letters
  } satisfies JobFacts
  const pool = openPool(job)
  if (!(await mayReplace(job, pool, file, invocation))) {
    terminal.print('Operation cancelled.')
    return undefined
  }
  terminal.log('INFO', `Reading ${taskFile}`)
  let created = false
  const db = await buildJobDb({
    file,
    beforeSwap: async building => {
      created = await makeStack(job, { db: building, vms })
    },
    job: facts,
    batches: batchesOf(job, facts, invocation),
    maxBodyBytes: job.provider.limits.maxBodyBytes,
    onProgress: showLoading(invocation),
  })
  try {
    await cleanUp(job, { pool, created })
  } catch (error) {
    db.close()
    throw error
  }
  return { db, send: sender(job, db, invocation) }
}

/** Goes on with the job in the DB. */
export async function reopenJob(job: OpenJob, invocation: Invocation, { vms }: PrepareOptions): Promise<PreparedJob> {
  const { options, terminal } = invocation
  const db = openExistingDb(job, invocation)
  try {
    refuseIfHeld(db.sqlite)
    const facts = {
      ...db.job(),
      ...(options.text('task-file') === undefined ? undefined : { taskFile: options.text('task-file') }),
    }
    const counts = db.counts()
    const total = totalCount(counts)
    if (facts.loadState !== 'inserting' && total === 0) {
      throw new UserError(`Job database ${db.file} holds no tasks; start the job without --continue.`)
    }
    terminal.log('INFO', `Going on with job ${job.jobId}: ${counts.completed} of ${total} tasks are completed`)
    // While every task is pending, whatever is in the queues is of an earlier run.
    const created = await makeStack(job, { db, vms })
    if (counts.pending === total && total > 0 && facts.loadState !== undefined) {
      await cleanUp(job, { pool: openPool(job), created })
    }
    return { db, send: sender(job, db, invocation) }
  } catch (error) {
    db.close()
    throw error
  }
}

/** Of the job whose place is taken; what is no job's database, nobody looks after. Throws a UserError if a manager does. */
function earlierFacts(file: string): JobFacts {
  if (!existsSync(file)) return {}
  let db: JobDb
  try {
    db = openJobDb(file, { mode: 'readonly' })
  } catch (error) {
    if (error instanceof UserError) return {}
    throw error
  }
  try {
    refuseIfHeld(db.sqlite)
    return db.job()
  } finally {
    db.close()
  }
}

/** The job's DB as it is, checked to be of this job. */
export function openExistingDb(job: Pick<OpenJob, 'jobId' | 'config'>, invocation: Invocation): JobDb {
  const file = dbFileOf(job, invocation)
  if (!existsSync(file)) {
    throw new UserError(`Job database ${file} does not exist; start the job first, or give --db-file.`)
  }
  const db = openJobDb(file, { mode: 'existing' })
  const { jobId } = db.job()
  if (jobId === undefined || jobId === job.jobId) return db
  db.close()
  throw new UserError(`Job database ${file} is of job "${jobId}", not of "${job.jobId}"; give another --db-file.`)
}

export function openPool({ provider, jobId, config }: OpenJob): Pool {
  return provider.openPool({ jobId, ...(config.region === undefined ? undefined : { region: config.region }) })
}

export function showLoading({ terminal }: Invocation): (progress: LoadProgress) => void {
  let shownAt = 0
  return ({ insertedCount, sentCount }) => {
    const now = Date.now()
    if (now - shownAt < 100) return
    shownAt = now
    const sent = sentCount === 0 ? '' : `, ${sentCount.toLocaleString('en-US')} sent`
    terminal.showBlock([`Loading: ${insertedCount.toLocaleString('en-US')} tasks read${sent}`])
  }
}

function dbFileOf({ config, jobId }: Pick<OpenJob, 'jobId' | 'config'>, { options }: Invocation): string {
  return options.text('db-file') ?? config.dbFile ?? `${jobId}.db`
}

async function mayReplace(job: OpenJob, pool: Pool, file: string, { options, terminal }: Invocation): Promise<boolean> {
  const depth = await job.queues.tasks.admin.depth()
  const messageCount = depth === undefined ? 0 : depth.ready + depth.leased + depth.delayed
  const vmCount = (await pool.list()).filter(vm => vm.state !== 'terminated').length
  const traces = [
    ...(existsSync(file) ? [`database ${file}`] : []),
    ...(messageCount > 0 ? [`${messageCount} messages in queue ${job.queues.tasks.name}`] : []),
    ...(vmCount > 0 ? [`${vmCount} VMs`] : []),
  ]
  if (traces.length === 0 || options.has('force')) return true
  const found = `Job "${job.jobId}" is there already: ${traces.join(', ')}.`
  const answer = await terminal.ask(`${found}\nStarting anew removes all of that. Type YES to go on: `)
  if (answer === undefined && process.stdin.isTTY !== true) {
    throw new UserError(`${found} Give --force to start anew and lose it, or --continue to go on with it.`)
  }
  return answer === 'YES'
}

/**
 * VMs first: an agent of the earlier run could still send events of tasks that now mean something else. Before them whoever
 * would start others in their place.
 */
async function cleanUp(
  job: OpenJob,
  { pool, created }: { readonly pool: Pool; readonly created: boolean },
): Promise<void> {
  const old = (await pool.list()).filter(vm => vm.state !== 'terminated')
  await pool.terminate(old.map(vm => vm.id))
  if (created) return // new queues are empty
  await Promise.all(Object.values(job.queues).map(queue => queue.admin.purge())) // a minute each on some clouds
}

/** Noted when it is there: killed in between, the stack stays after the job, as one that somebody else made. */
async function makeStack(job: OpenJob, { db, vms }: { db: JobDb } & PrepareOptions): Promise<boolean> {
  const created = vms ? await bringUpStack(job) : await ensureQueues(job)
  if (created) db.saveJob({ madeStack: true })
  return created
}

async function* batchesOf(
  { provider, config }: OpenJob,
  { taskFile = '', skip, limit }: JobFacts,
  invocation: Invocation,
): AsyncGenerator<readonly Task[]> {
  const objects = await objectsFor(taskFile, { provider, config, invocation })
  try {
    yield* readTaskFile(taskFile, {
      ...(objects.reader && { objects: objects.reader }),
      ...(skip ? { skip } : undefined),
      ...(limit ? { limit } : undefined),
    })
  } finally {
    await objects.close()
  }
}

function sender(job: OpenJob, db: JobDb, invocation: Invocation): PreparedJob['send'] {
  const { limits } = job.provider
  return (signal, onProgress) =>
    resumeLoading({
      db,
      queue: job.queues.tasks,
      batches: batchesOf(job, db.job(), invocation),
      maxBodyBytes: limits.maxBodyBytes,
      maxDelaySeconds: limits.maxDelaySeconds,
      signal,
      ...(onProgress === undefined ? undefined : { onProgress }),
    })
}
