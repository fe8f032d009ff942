// Messages that were received but that nobody asked for: kept for a moment for claims that want their type, then handed back.
import { messageOf } from '../../core/errors.ts'
import type { Delivery, Queue } from '../../infra/provider.ts'
import type { HeldTask } from '../held-task.ts'
import type { Log } from '../log.ts'
import type { Wish } from './claim-desk.ts'
import { typeOf } from './task-view.ts'

export interface Parking {
  /** Messages that still fit. */
  room(): number
  park(tasks: readonly HeldTask[], leasedAtMs: number): void
  /** At most one for each wish that it fits, its lease begun anew. */
  take(wishes: readonly Wish[]): Promise<readonly HeldTask[]>
  giveBack(tasks: readonly HeldTask[], delaySeconds: number): void
  /** The delivery without the times that it came only because we had handed it back: not the fault of its task. */
  counted(delivery: Delivery): Delivery
  close(): void
}

const MAX_PARKED = 1000
const LONGEST_PARK_MS = 30_000
const MAX_RETURNED = 10_000 // ids remembered

export function openParking(queue: Queue, { leaseSeconds, log }: { leaseSeconds: number; log: Log }): Parking {
  const parkMs = Math.min(LONGEST_PARK_MS, leaseSeconds * 500) // their leases are not renewed
  const returned = new Map<string, number>()
  let parked: { readonly task: HeldTask; readonly type: string | undefined; readonly sinceMs: number }[] = []
  const timer = setInterval(() => leave(Date.now() - parkMs), parkMs / 4)

  const parking: Parking = {
    room: () => MAX_PARKED - parked.length,
    park(tasks, leasedAtMs) {
      for (const task of tasks) parked.push({ task, type: typeOf(task.body), sinceMs: leasedAtMs })
      const surplus = parked.splice(0, Math.max(0, parked.length - MAX_PARKED))
      if (surplus.length > 0)
        parking.giveBack(
          surplus.map(({ task }) => task),
          parkMs / 1000, // out of the way of what is behind them
        )
    },
    async take(wishes) {
      if (parked.length === 0) return []
      const open = [...wishes]
      const taken: HeldTask[] = []
      parked = parked.filter(({ task, type }) => {
        const index = open.findIndex(({ types }) => types === undefined || (type !== undefined && types.has(type)))
        if (index === -1) return true
        open.splice(index, 1)
        taken.push(task)
        return false
      })
      if (taken.length === 0) return []
      const { lost } = await queue.renew(taken.map(task => task.receipt))
      return taken.filter(task => !lost.includes(task.receipt))
    },
    giveBack(tasks, delaySeconds) {
      if (returned.size > MAX_RETURNED) returned.clear()
      for (const { taskId } of tasks) returned.set(taskId, (returned.get(taskId) ?? 0) + 1)
      queue
        .release(
          tasks.map(task => task.receipt),
          delaySeconds,
        )
        .catch((error: unknown) => log.warning(`Messages return when their leases end: ${messageOf(error)}`))
    },
    counted(delivery) {
      if (returned.size === 0) return delivery
      const id = /^\{"task_id":\s*"([^"\\]*)"/.exec(delivery.body)?.[1] ?? ''
      return { ...delivery, deliveryCount: Math.max(1, delivery.deliveryCount - (returned.get(id) ?? 0)) }
    },
    close() {
      clearInterval(timer)
      leave(Number.POSITIVE_INFINITY)
    },
  }
  return parking

  function leave(sinceMs: number): void {
    const late = parked.filter(parkedTask => parkedTask.sinceMs <= sinceMs)
    if (late.length === 0) return
    parked = parked.filter(parkedTask => parkedTask.sinceMs > sinceMs)
    parking.giveBack(
      late.map(({ task }) => task),
      0,
    )
  }
}
