// The claims that are live: who works on which task, and until when. Keeps the queue's lease of each for as long as the claim
// lasts, and no longer:
//
//     claimed ──heartbeat──► claimed      complete, fail ──► ended (settlement.ts)
//        │ nobody was heard of until the lease ended, or the queue says it is lost
//        ▼
//     gone: the message is ready again when the queue's lease ends, which is at that moment, whether this server lives or not
import { messageOf } from '../../core/errors.ts'
import type { Json } from '../../core/task.ts'
import type { Queue } from '../../infra/provider.ts'
import { type HeldTask, holdTask } from '../held-task.ts'
import type { Log } from '../log.ts'
import { openGatherer } from './gatherer.ts'
import type { ClaimRecord, TaskRecord, TaskRecords } from './task-records.ts'

export interface Claim {
  readonly claimId: string
  readonly task: HeldTask
  readonly user: string
  readonly workerId: string
  readonly claimedAtMs: number
  leaseSeconds: number
  /** Of the claim. */
  leaseEndsMs: number
  /** Of the message: never much later than the claim's. */
  queueLeaseEndsMs: number
  /** Its end is being reported. */
  ending: boolean
}

export interface Claims {
  /** Live ones only. */
  find(taskId: string): Claim | undefined
  count(): number
  /** The lease of the message began at `leasedAtMs`. Resolves when the message's lease fits the claim's. */
  add(claims: readonly Claim[], leasedAtMs: number): Promise<void>
  /** Starts the claim's lease anew. False = the lease is lost. */
  prolong(claim: Claim): Promise<boolean>
  remove(claims: readonly Claim[]): void
  /** Renews everything once more, so that a server that starts soon finds it held. */
  close(): Promise<void>
}

export interface ClaimsOptions {
  /** The task queue with leases of that length. */
  readonly queueFor: (leaseSeconds: number) => Queue
  /** The longest lease of a message. */
  readonly queueLeaseSeconds: number
  readonly records: TaskRecords
  readonly log: Log
  /** A claim with a checkpoint came to nothing: the checkpoint is to be handed on. */
  readonly interrupted: (claim: Claim) => void
  readonly expired: (count: number) => void
}

const RENEW_AT = 0.5 // of the lease: one renewal may fail and the lease still lives
const LONGEST_LOOK_MS = 500
const MAX_BATCH = 1000

export function openClaims(options: ClaimsOptions): Claims {
  const { queueFor, queueLeaseSeconds, records, log, interrupted, expired } = options
  const live = new Map<string, Claim>()
  const prolonging = openGatherer(prolongAll, { maxBatch: MAX_BATCH })
  let looking: Promise<void> | undefined

  for (const record of records.live()) {
    const claim = restored(record)
    if (claim !== undefined) live.set(record.id, claim)
  }
  const timer = setInterval(
    () => {
      looking ??= look().finally(() => {
        looking = undefined
      })
    },
    Math.min(LONGEST_LOOK_MS, queueLeaseSeconds * 100),
  )

  return {
    find(taskId) {
      const claim = live.get(taskId)
      if (claim === undefined || claim.leaseEndsMs > Date.now() || claim.ending) return claim
      if (claim.task.savedCheckpoint !== undefined) return claim
      expire([claim]) // before the next look
      return undefined
    },
    count: () => live.size,
    async add(claims, leasedAtMs) {
      for (const claim of claims) {
        claim.queueLeaseEndsMs = leasedAtMs + queueLeaseSeconds * 1000
        live.set(claim.task.taskId, claim)
      }
      const short = claims.filter(claim => claim.leaseSeconds < queueLeaseSeconds)
      if (short.length > 0) await renew(short)
    },
    async prolong(claim) {
      const before = claim.leaseEndsMs
      claim.leaseEndsMs = Date.now() + claim.leaseSeconds * 1000
      try {
        return await prolonging.add(claim)
      } catch (error) {
        claim.leaseEndsMs = before
        throw error
      }
    },
    remove: forget,
    async close() {
      clearInterval(timer)
      await looking
      if (live.size > 0)
        await renew([...live.values()]).catch((error: unknown) =>
          log.warning(`Leases could not be renewed at the end: ${messageOf(error)}`),
        )
    },
  }

  async function prolongAll(claims: readonly Claim[]): Promise<readonly boolean[]> {
    const held = await renew(claims)
    const kept = claims.filter((_, index) => held[index])
    records.prolong(kept.map(claim => ({ id: claim.task.taskId, claim: recordOf(claim) })))
    return held
  }

  async function look(): Promise<void> {
    const nowMs = Date.now()
    const due: Claim[] = []
    const over: Claim[] = []
    for (const claim of live.values()) {
      if (claim.leaseEndsMs <= nowMs && !claim.ending) over.push(claim)
      else if (renewalDueMs(claim) <= nowMs) due.push(claim)
    }
    expire(over)
    if (due.length === 0) return
    try {
      await renew(due)
    } catch (error) {
      log.warning(`Renewing leases failed, trying again: ${messageOf(error)}`)
    }
  }

  /** At half the lease; the last time so that the message's lease ends with the claim's. */
  function renewalDueMs(claim: Claim): number {
    const leaseMs = Math.min(claim.leaseSeconds, queueLeaseSeconds) * 1000
    const half = claim.queueLeaseEndsMs - leaseMs * (1 - RENEW_AT)
    if (claim.ending || claim.task.savedCheckpoint !== undefined) return half // to be had until it is reported
    if (claim.queueLeaseEndsMs >= claim.leaseEndsMs) return Number.POSITIVE_INFINITY
    return Math.min(half, claim.leaseEndsMs - leaseMs)
  }

  /** False where the lease is lost; those are forgotten. */
  async function renew(claims: readonly Claim[]): Promise<readonly boolean[]> {
    const bySeconds = Map.groupBy(claims, claim => Math.min(claim.leaseSeconds, queueLeaseSeconds))
    const lost = new Set<string>()
    for (const [seconds, some] of bySeconds) {
      const nowMs = Date.now()
      const settlement = await queueFor(seconds).renew(some.map(claim => claim.task.receipt))
      for (const receipt of settlement.lost) lost.add(receipt)
      for (const claim of some) claim.queueLeaseEndsMs = nowMs + seconds * 1000
    }
    const gone = claims.filter(claim => lost.has(claim.task.receipt) && !claim.ending)
    if (gone.length > 0) giveUp(gone)
    return claims.map(claim => !lost.has(claim.task.receipt))
  }

  function expire(over: readonly Claim[]): void {
    const plain = over.filter(claim => claim.task.savedCheckpoint === undefined)
    if (plain.length > 0) giveUp(plain)
    for (const claim of over) if (claim.task.savedCheckpoint !== undefined) interrupted(claim)
    if (over.length > 0) expired(over.length)
  }

  function giveUp(claims: readonly Claim[]): void {
    forget(claims)
    try {
      records.end(claims.map(({ task, claimId }) => ({ id: task.taskId, claimId, status: 'pending' })))
    } catch (error) {
      log.warning(`The state file could not be written: ${messageOf(error)}`) // its claims end by themselves
    }
    for (const { task, workerId } of claims)
      log.debug(`The claim of task "${task.taskId}" by ${workerId} is over without an answer.`)
  }

  function forget(claims: readonly Claim[]): void {
    for (const claim of claims) {
      claim.task.settled = true
      if (live.get(claim.task.taskId) === claim) live.delete(claim.task.taskId)
    }
  }
}

export function recordOf(claim: Claim): ClaimRecord {
  const { claimId, user, workerId, claimedAtMs, leaseSeconds, leaseEndsMs, task } = claim
  const { receipt, deliveryCount, savedCheckpoint } = task
  const checkpoint = savedCheckpoint === undefined ? undefined : JSON.stringify(savedCheckpoint)
  return { claimId, user, workerId, claimedAtMs, leaseSeconds, leaseEndsMs, receipt, deliveryCount, checkpoint }
}

/** Due for renewal at once, which tells whether the queue still knows it. */
function restored({ body, claim }: TaskRecord): Claim | undefined {
  if (claim === undefined) return undefined
  const task = holdTask({ body, receipt: claim.receipt, deliveryCount: claim.deliveryCount })
  if (typeof task === 'string') return undefined
  if (claim.checkpoint !== undefined) task.savedCheckpoint = JSON.parse(claim.checkpoint) as Json
  const { claimId, user, workerId, claimedAtMs, leaseSeconds, leaseEndsMs } = claim
  return { claimId, task, user, workerId, claimedAtMs, leaseSeconds, leaseEndsMs, queueLeaseEndsMs: 0, ending: false }
}
