// Keeps the leases of everything this agent holds, in batches, at half their time. Knows nothing of what is done with it.
import { messageOf } from '../core/errors.ts'
import type { Queue } from '../infra/provider.ts'
import type { HeldTask } from './held-task.ts'
import type { Log } from './log.ts'

const RENEW_AT = 0.5 // of the lease: one renewal may fail and the lease still lives
const PRUNE_FROM = 4000 // tasks: a fast agent settles thousands long before their leases are due
const LOOKS_PER_LEASE = 10

export interface LeaseKeeper {
  /** From the moment of receiving until `settled`. */
  keep(tasks: readonly HeldTask[]): void
  close(): void
}

/** What came at one time and falls due at one time; what is settled drops out at the next renewal. */
interface Batch {
  tasks: readonly HeldTask[]
  dueMs: number
}

export function openLeaseKeeper(
  queue: Queue,
  { leaseSeconds, log }: { readonly leaseSeconds: number; readonly log: Log },
): LeaseKeeper {
  const renewMs = leaseSeconds * 1000 * RENEW_AT
  let batches: Batch[] = []
  let renewing = false
  let keptCount = 0
  let pruneAt = PRUNE_FROM

  const timer = setInterval(look, (leaseSeconds * 1000) / LOOKS_PER_LEASE)

  return {
    keep(tasks) {
      if (tasks.length === 0) return
      keptCount += tasks.length
      if (keptCount > pruneAt) prune()
      batches.push({ tasks, dueMs: performance.now() + renewMs })
    },
    close() {
      clearInterval(timer)
      batches = []
    },
  }

  function prune(): void {
    for (const batch of batches) batch.tasks = batch.tasks.filter(task => !task.settled)
    batches = batches.filter(batch => batch.tasks.length > 0)
    keptCount = batches.reduce((sum, batch) => sum + batch.tasks.length, 0)
    pruneAt = 2 * keptCount + PRUNE_FROM
  }

  function look(): void {
    if (renewing) return
    renewing = true
    renewDue()
      .catch((error: unknown) => log.warning(`Renewing leases failed, trying again: ${messageOf(error)}`))
      .finally(() => {
        renewing = false
      })
  }

  async function renewDue(): Promise<void> {
    const nowMs = performance.now()
    const due = batches.filter(batch => batch.dueMs <= nowMs)
    const tasks = due.flatMap(batch => batch.tasks.filter(task => !task.settled && !task.lost))
    if (tasks.length > 0) {
      const { lost } = await queue.renew(tasks.map(task => task.receipt))
      if (lost.length > 0) noteLost(tasks, new Set(lost))
    }
    // Due ones leave the list only now: a renewal that failed is due again at the next look.
    batches = batches.filter(batch => !due.includes(batch))
    batches.push({ tasks: tasks.filter(task => !task.lost), dueMs: nowMs + renewMs })
  }

  function noteLost(tasks: readonly HeldTask[], lost: ReadonlySet<HeldTask['receipt']>): void {
    for (const task of tasks) {
      if (!lost.has(task.receipt) || task.settled) continue
      task.lost = true
      log.debug(`The lease of task "${task.taskId}" is lost; if it finishes here its result still counts.`)
    }
  }
}
