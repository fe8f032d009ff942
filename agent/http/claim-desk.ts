// Hands tasks out: many claims share one receive, and may ask for types of tasks.
//
// Killed after the receive: the messages' leases end. Killed after the record: the claim is known again after a restart.
import { messageOf } from '../../core/errors.ts'
import type { Delivery, Queue } from '../../infra/provider.ts'
import type { HeldTask } from '../held-task.ts'
import type { Log } from '../log.ts'
import { type Claim, type Claims, recordOf } from './claims.ts'
import { openGatherer } from './gatherer.ts'
import { openParking } from './parking.ts'
import type { TaskRecords } from './task-records.ts'
import { createdAtMsOf, typeOf } from './task-view.ts'
import { openWaitingRoom } from './waiting-room.ts'

export interface Wish {
  readonly user: string
  readonly workerId: string
  /** undefined = any. */
  readonly types: ReadonlySet<string> | undefined
  readonly leaseSeconds: number
  readonly waitSeconds: number
  /** Nobody waits for the answer any more. */
  readonly gone: AbortSignal
}

export interface ClaimDesk {
  /** undefined = there is no task. */
  claim(wish: Wish): Promise<Claim | undefined>
  /** Takes a task that had to be looked at closer before it could be handed out. */
  park(tasks: readonly HeldTask[]): void
  /** Hands the message of a claim back at once: nobody is there to work on it. */
  giveBack(claim: Claim): void
  /** Whoever waits gets nothing; what is parked is handed back. */
  close(): Promise<void>
}

export interface ClaimDeskOptions {
  readonly queue: Queue
  readonly queueLeaseSeconds: number
  readonly claims: Claims
  readonly records: TaskRecords
  /** Looks at what came; what it does not return is taken care of. */
  readonly admit: (deliveries: readonly Delivery[]) => readonly HeldTask[]
  readonly nextClaimId: () => string
  readonly log: Log
}

const MAX_BATCH = 1000
const TYPE_MARGIN = 50 // messages more than claims, to find one of the right type among
const TYPE_ROUNDS = 6
const RECEIVED_AGO_MS = 50 // a lease begins a little before its message is here

type Match = readonly [Wish, Claim]

export function openClaimDesk(options: ClaimDeskOptions): ClaimDesk {
  const { queue, queueLeaseSeconds, claims, records, admit, nextClaimId, log } = options
  const parking = openParking(queue, { leaseSeconds: queueLeaseSeconds, log })
  const atOnce = openGatherer(claimAll, { maxBatch: MAX_BATCH })
  const closing = new AbortController()
  const waitingRoom = openWaitingRoom({
    log,
    async receive({ maxMessages, waitSeconds, signal, here, leave }) {
      const deliveries = await queue.receive({ maxMessages, waitSeconds, signal })
      const answers = new Map<Wish, (claim: Claim | undefined) => void>()
      const tasks = admit(deliveries.map(parking.counted))
      let matches: readonly Match[] = []
      try {
        matches = await hand(tasks, Date.now() - RECEIVED_AGO_MS, here(), wish => answers.set(wish, leave(wish)))
      } finally {
        const found = new Map(matches)
        for (const [wish, answer] of answers) answer(found.get(wish))
      }
      return deliveries.length
    },
  })

  return {
    async claim(wish) {
      const { claim } = await atOnce.add(wish)
      if (claim !== undefined || wish.waitSeconds === 0) return claim
      const late = await waitingRoom.wait(wish)
      if (late !== undefined) await hearWhoLeft()
      return late
    },
    park: tasks => parking.park(tasks, Date.now()),
    giveBack(claim) {
      claims.remove([claim])
      parking.giveBack([claim.task], 0)
      try {
        records.end([{ id: claim.task.taskId, claimId: claim.claimId, status: 'pending' }])
      } catch (error) {
        log.warning(`The state file could not be written: ${messageOf(error)}`) // the claim in it ends by itself
      }
    },
    async close() {
      closing.abort()
      await waitingRoom.close()
      await atOnce.idle()
      parking.close()
    },
  }

  /** One answer a wish, in their order. */
  async function claimAll(wishes: readonly Wish[]): Promise<readonly { readonly claim: Claim | undefined }[]> {
    const startedAtMs = Date.now()
    const found = new Map<Wish, Claim>(await hand(await parking.take(wishes), startedAtMs, wishes))
    for (let round = 0; round < TYPE_ROUNDS && !closing.signal.aborted; round++) {
      const open = wishes.filter(wish => !found.has(wish) && !wish.gone.aborted)
      if (open.length === 0) break
      const typed = open.some(wish => wish.types !== undefined)
      const wanted = open.length + (typed ? Math.min(TYPE_MARGIN, parking.room()) : 0)
      const leasedAtMs = Date.now()
      const deliveries = await queue.receive({ maxMessages: wanted, waitSeconds: 0, signal: closing.signal })
      if (deliveries.length === 0) break
      const matches = await hand(admit(deliveries.map(parking.counted)), leasedAtMs, open)
      for (const [wish, claim] of matches) found.set(wish, claim)
      if (deliveries.length < wanted && !typed) break
    }
    return wishes.map(wish => ({ claim: found.get(wish) }))
  }

  /** Records the claims first: only then may they be answered. What nobody wants is parked. */
  async function hand(
    tasks: readonly HeldTask[],
    leasedAtMs: number,
    wishes: readonly Wish[],
    matched: (wish: Wish) => void = () => {},
  ): Promise<readonly Match[]> {
    if (tasks.length === 0) return []
    const open = wishes.filter(wish => !wish.gone.aborted)
    const anyType = open.every(wish => wish.types === undefined)
    const matches: Match[] = []
    const left: HeldTask[] = []
    const ids = new Set<string>()
    for (const task of tasks) {
      const { taskId } = task
      if (ids.has(taskId) || claims.find(taskId) !== undefined) {
        parking.giveBack([task], leftSeconds(taskId)) // a double of what somebody works on
        continue
      }
      const wish = anyType ? open.shift() : takeFitting(open, typeOf(task.body))
      if (wish === undefined) left.push(task)
      else {
        ids.add(taskId)
        matched(wish)
        matches.push([wish, claimOf(task, wish, leasedAtMs)])
      }
    }
    if (left.length > 0) parking.park(left, leasedAtMs)
    if (matches.length === 0) return []
    const fresh = matches.map(([, claim]) => claim)
    records.claim(
      fresh.map(claim => {
        const { taskId, body } = claim.task
        return { id: taskId, body, createdAtMs: createdAtMsOf(body), claim: recordOf(claim) }
      }),
    )
    await claims.add(fresh, leasedAtMs)
    return matches
  }

  function claimOf(task: HeldTask, { user, workerId, leaseSeconds }: Wish, leasedAtMs: number): Claim {
    return {
      claimId: nextClaimId(),
      task,
      user,
      workerId,
      claimedAtMs: Date.now(),
      leaseSeconds,
      leaseEndsMs: leasedAtMs + leaseSeconds * 1000,
      queueLeaseEndsMs: leasedAtMs,
      ending: false,
    }
  }

  function leftSeconds(taskId: string): number {
    const endsMs = claims.find(taskId)?.leaseEndsMs ?? 0
    return Math.max(1, (endsMs - Date.now()) / 1000)
  }
}

function takeFitting(open: Wish[], type: string | undefined): Wish | undefined {
  const index = open.findIndex(({ types }) => types === undefined || (type !== undefined && types.has(type)))
  return index === -1 ? undefined : open.splice(index, 1)[0]
}

/** Lets the event loop read from the sockets, so that a client that has left during the wait is known to be gone. */
async function hearWhoLeft(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise(resolve => setImmediate(resolve))
}
