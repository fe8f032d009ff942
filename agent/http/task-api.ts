// What the API does, in words of the API: claim, complete, fail, heartbeat, create, list, show. Knows nothing of HTTP but the
// statuses; checks whose claim it is.
import { randomBytes } from 'node:crypto'
import { messageOf } from '../../core/errors.ts'
import { taskId } from '../../core/ids.ts'
import type { Outcome } from '../../core/outcome.ts'
import { type Json, type JsonObject, messageOfTask } from '../../core/task.ts'
import { type OutgoingMessage, type Queue, type QueueDepth, SendError } from '../../infra/provider.ts'
import type { ClaimDesk } from './claim-desk.ts'
import type { Claim, Claims } from './claims.ts'
import { openGatherer } from './gatherer.ts'
import { HttpFailure, unavailable } from './http-failure.ts'
import type { Metrics } from './metrics.ts'
import { type ClaimBody, exceptionText, type FailBody, type FenceBody, type TaskBody } from './request-bodies.ts'
import type { Settled, Settlement } from './settlement.ts'
import type { NewRecord, TaskRecord, TaskRecords, TaskStatus } from './task-records.ts'
import { type TaskView, viewOfClaim, viewOfRecord } from './task-view.ts'

export interface TaskApi {
  claim(user: string, body: ClaimBody, gone: AbortSignal): Promise<TaskView>
  complete(user: string, id: string, result: unknown, fence: FenceBody): Promise<EndView>
  fail(user: string, id: string, body: FailBody): Promise<EndView>
  heartbeat(user: string, id: string, body: HeartbeatBody): Promise<TaskView>
  create(tasks: readonly TaskBody[]): Promise<readonly TaskView[]>
  list(options: { readonly before: number; readonly limit: number; readonly status?: TaskStatus }): PageView
  show(id: string): TaskView
  depth(): Promise<QueueDepth | undefined>
}

export interface HeartbeatBody extends FenceBody {
  readonly lease_seconds?: number | undefined
  readonly checkpoint?: unknown
}
export interface EndView {
  readonly id: string
  readonly status: TaskStatus
  /** Whether another attempt follows. */
  readonly will_retry: boolean
  readonly retry_in_seconds: number | null
  readonly dead_letter: boolean
}
export interface PageView {
  readonly tasks: readonly TaskView[]
  readonly next_cursor: string | null
}

export interface TaskApiOptions {
  readonly queue: Queue
  readonly maxBodyBytes: number
  readonly maxDelaySeconds: number
  readonly defaultLeaseSeconds: number
  readonly maxLeaseSeconds: number
  readonly desk: ClaimDesk
  readonly claims: Claims
  readonly settlement: Settlement
  readonly records: TaskRecords
  readonly metrics: Metrics
}

const MAX_BATCH = 5000
const ID_BYTES = 9

type Ending = Extract<Outcome, { kind: 'completed' | 'exception' }>

interface NewTask {
  readonly record: NewRecord
  readonly message: OutgoingMessage
}

export function openTaskApi(options: TaskApiOptions): TaskApi {
  const { queue, desk, claims, settlement, records, metrics } = options
  const sending = openGatherer(sendAll, { maxBatch: MAX_BATCH })
  const underWay = new WeakMap<Claim, { readonly kind: Ending['kind']; readonly settled: Promise<Settled> }>()

  return {
    async claim(user, { worker_id: workerId, types, lease_seconds: lease, wait_seconds: waitSeconds = 0 }, gone) {
      const wish = {
        user,
        workerId,
        types: types === undefined ? undefined : new Set(types),
        leaseSeconds: Math.min(lease ?? options.defaultLeaseSeconds, options.maxLeaseSeconds),
        waitSeconds,
        gone,
      }
      const claim = await desk.claim(wish).catch(refuse('No task could be claimed'))
      if (claim === undefined) throw new HttpFailure(404, 'no_task', 'There is no task to claim now.')
      metrics.claims++
      // A client that leaves before it has heard of its claim will never end it.
      const giveBack = () => {
        if (claims.find(claim.task.taskId) === claim && !claim.ending) desk.giveBack(claim)
      }
      if (gone.aborted) giveBack()
      else gone.addEventListener('abort', giveBack, { once: true })
      return viewOfClaim(claim)
    },

    async complete(user, id, result, fence) {
      return end(user, id, fence, { kind: 'completed', retry: false, result: (result ?? null) as Json })
    },

    async fail(user, id, body) {
      const { retryable } = body
      const exception = exceptionText(body)
      return end(user, id, body, {
        kind: 'exception',
        exception,
        ...(retryable === undefined ? undefined : { retryable }),
      })
    },

    async heartbeat(user, id, body) {
      const claim = liveClaim(user, id, body)
      if (claim === undefined) throw refusalWithoutClaim(user, recordOf(id))
      if (claim.ending || claim.leaseEndsMs <= Date.now()) throw expired(id)
      const { lease_seconds: lease, checkpoint } = body
      if (lease !== undefined) claim.leaseSeconds = Math.min(lease, options.maxLeaseSeconds)
      if (checkpoint !== undefined) claim.task.savedCheckpoint = checkpoint as Json
      const held = await claims.prolong(claim).catch(refuse('The lease could not be prolonged'))
      if (!held) throw expired(id)
      metrics.heartbeats++
      return viewOfClaim(claim)
    },

    async create(bodies) {
      const created = bodies.map(newTask)
      const ids = new Set<string>()
      for (const { record, message } of created) {
        const { id } = record
        const known = records.find(id)
        if (ids.has(id) || (known !== undefined && known.status !== 'completed' && known.status !== 'failed'))
          throw new HttpFailure(409, 'already_exists', `Task "${id}" exists already.`)
        ids.add(id)
        if (Buffer.byteLength(message.body) > options.maxBodyBytes)
          throw new HttpFailure(413, 'too_large', `Task "${id}" is longer than ${options.maxBodyBytes} bytes.`)
      }
      const results = await Promise.all(created.map(sending.add))
      const problem = results.find(result => result.problem !== undefined)
      if (problem !== undefined) throw unavailable(`Not all tasks were added: ${problem.problem}`, problem)
      metrics.created += created.length
      return created.map(({ record: { id } }) => shown(id))
    },

    list({ before, limit, status }) {
      const page = records.page({ before, limit: limit + 1, ...(status === undefined ? undefined : { status }) })
      const some = page.slice(0, limit)
      return { tasks: some.map(viewOfRecord), next_cursor: page.length > limit ? String(some.at(-1)?.seq) : null }
    },
    show: shown,
    depth: () => queue.admin.depth(),
  }

  function recordOf(id: string): TaskRecord {
    const record = records.find(id)
    if (record === undefined) throw new HttpFailure(404, 'not_found', `Task "${id}" is not known here.`)
    return record
  }

  function shown(id: string): TaskView {
    const record = recordOf(id)
    const claim = claims.find(id)
    return { ...viewOfRecord(record), ...(claim === undefined ? undefined : { claim_id: claim.claimId }) }
  }

  // ---- ending a claim

  /** The same word once more gets the same answer; another word is too late. */
  async function end(user: string, id: string, fence: FenceBody, outcome: Ending): Promise<EndView> {
    const claim = liveClaim(user, id, fence)
    if (claim === undefined) return repeated(user, id, fence, outcome.kind)
    const before = underWay.get(claim)
    if (before !== undefined && before.kind === outcome.kind) return viewOfEnd(id, await before.settled)
    if (before !== undefined) throw new HttpFailure(409, 'already_ended', `Task "${id}" is being ended already.`)
    if (claim.ending || claim.leaseEndsMs <= Date.now()) throw expired(id)
    const settled = settlement.settle(claim, outcome)
    underWay.set(claim, { kind: outcome.kind, settled })
    try {
      const view = viewOfEnd(id, await settled)
      count(claim, view)
      return view
    } catch (error) {
      underWay.delete(claim) // it lives on, and may be ended once more
      throw error
    }
  }

  function count(claim: Claim, { status }: EndView): void {
    metrics.lastTaskAtMs = Date.now()
    metrics.processingSeconds += Math.max(0, Date.now() - claim.claimedAtMs) / 1000
    if (status === 'completed') metrics.completed++
    else if (status === 'failed') metrics.failedFinal++
    else metrics.failedRetried++
  }

  function liveClaim(
    user: string,
    id: string,
    { worker_id: workerId, claim_id: claimId }: FenceBody,
  ): Claim | undefined {
    const claim = claims.find(id)
    if (claim === undefined) return undefined
    if (claim.user !== user) throw foreign(id)
    if (claimId !== undefined && claimId !== claim.claimId) throw expired(id)
    if (workerId !== undefined && workerId !== claim.workerId) throw expired(id)
    return claim
  }

  function repeated(user: string, id: string, { claim_id: claimId }: FenceBody, word: Ending['kind']): EndView {
    const record = recordOf(id)
    const { claim, status } = record
    const same = word === 'completed' ? status === 'completed' : failedBefore(record)
    const fits = claim !== undefined && claim.user === user && (claimId ?? claim.claimId) === claim.claimId
    if (!same || !fits) throw refusalWithoutClaim(user, record)
    return { id, status, will_retry: status === 'pending', retry_in_seconds: null, dead_letter: false }
  }

  // ---- creating

  function newTask({ id = `task_${randomBytes(ID_BYTES).toString('base64url')}`, ...body }: TaskBody): NewTask {
    const { type, parameters = {}, priority, not_before: notBefore } = body
    const createdAtMs = Date.now()
    const notBeforeAt = notBefore === undefined ? undefined : new Date(notBefore)
    const message = {
      ...messageOfTask({
        taskId: taskId(id),
        data: parameters as JsonObject,
        ...(type === undefined ? undefined : { type }),
        ...(priority === undefined ? undefined : { priority }),
        ...(notBeforeAt === undefined ? undefined : { notBeforeAt }),
      }),
      created_at: new Date(createdAtMs).toISOString(),
    }
    const text = JSON.stringify(message)
    const delaySeconds = ((notBeforeAt?.getTime() ?? 0) - createdAtMs) / 1000
    return {
      record: { id, body: text, createdAtMs },
      message: {
        body: text,
        taskId: id,
        ...(priority === undefined ? undefined : { priority }),
        ...(delaySeconds > 0 ? { delaySeconds: Math.min(delaySeconds, options.maxDelaySeconds) } : undefined),
      },
    }
  }

  /** Sent first, noted second: what is noted is in the queue. */
  async function sendAll(tasks: readonly NewTask[]): Promise<readonly { readonly problem: string | undefined }[]> {
    let unsent = new Set<number>()
    let problem: string | undefined
    try {
      await queue.send(tasks.map(({ message }) => message))
    } catch (error) {
      problem = messageOf(error)
      unsent = new Set(error instanceof SendError ? error.unsent : tasks.keys())
    }
    records.add(tasks.filter((_, index) => !unsent.has(index)).map(({ record }) => record))
    return tasks.map((_, index) => ({ problem: unsent.has(index) ? problem : undefined }))
  }
}

function viewOfEnd(id: string, { status, retryInSeconds, deadLetter }: Settled): EndView {
  const willRetry = retryInSeconds !== undefined
  return { id, status, will_retry: willRetry, retry_in_seconds: retryInSeconds ?? null, dead_letter: deadLetter }
}

function refuse(what: string): (error: unknown) => never {
  return error => {
    throw unavailable(`${what}: ${messageOf(error)}`, error)
  }
}

function foreign(id: string): HttpFailure {
  return new HttpFailure(403, 'forbidden', `The claim of task "${id}" is another user's.`)
}

function failedBefore({ status, error }: TaskRecord): boolean {
  return status === 'failed' || (status === 'pending' && error !== undefined)
}

function refusalWithoutClaim(user: string, record: TaskRecord): HttpFailure {
  const { id, claim, status } = record
  if (claim === undefined) {
    return new HttpFailure(409, 'not_claimed', `Task "${id}" is not claimed: claim it first.`)
  }
  if (claim.user !== user) return foreign(id)
  if (status !== 'completed' && !failedBefore(record)) return expired(id)
  return new HttpFailure(409, 'already_ended', `The claim of task "${id}" has ended; the task is ${status}.`)
}

function expired(id: string): HttpFailure {
  return new HttpFailure(409, 'claim_expired', `The claim of task "${id}" is over: claim a task anew.`)
}
