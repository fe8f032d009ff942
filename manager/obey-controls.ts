// Carries out what people ask of the running manager, one order after the other, and says in its row that it is done.
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Vm } from '../infra/provider.ts'
import { type ControlOrder, openOrders, type PoolOrders, settleOrder } from './controls.ts'
import type { JobDb } from './job-db.ts'

export interface ObeyOptions {
  readonly db: Pick<JobDb, 'sqlite'>
  readonly orders: StandingOrders
  /** Resolves after the next whole look at the VMs. */
  readonly lookNow: () => Promise<void>
  /** As of the last look. */
  readonly vms: () => readonly Vm[]
  /** Puts what failed for good back into the queue; says how many. */
  readonly requeue: () => Promise<number>
  readonly log: (level: 'INFO' | 'WARNING', text: string) => void
}

/** What holds now; the keeper of the VMs asks for it at each look. */
export class StandingOrders {
  #orders: PoolOrders

  constructor(limits: PoolOrders['limits']) {
    this.#orders = { paused: false, limits }
  }

  get now(): PoolOrders {
    return this.#orders
  }

  pause(paused: boolean): void {
    this.#orders = { ...this.#orders, paused }
  }

  limit(limits: PoolOrders['limits']): void {
    this.#orders = { ...this.#orders, limits: { ...this.#orders.limits, ...limits } }
  }
}

const LOOK_MS = 1000 // one small query: a person waits for the answer

/** Until the signal, or until an order to stop comes, which is the caller's to carry out and to settle. */
export async function obeyControls(options: ObeyOptions, signal: AbortSignal): Promise<ControlOrder | undefined> {
  const { db, log } = options
  while (!signal.aborted) {
    for (const order of openOrders(db.sqlite)) {
      if (order.action === 'stop') return order
      try {
        log('INFO', `By order from the dashboard: ${describe(order)}`)
        await obey(order, options, signal)
        // Settled last: killed before, the order is open, and the next manager decides.
        if (!signal.aborted || order.action === 'limits') settleOrder(db.sqlite, order, new Date(systemClock.now()))
      } catch (error) {
        log('WARNING', `It could not be done: ${messageOf(error)}`)
        settleOrder(db.sqlite, order, new Date(systemClock.now()), messageOf(error))
      }
    }
    await systemClock.sleep(LOOK_MS, signal)
  }
  return undefined
}

async function obey(order: ControlOrder, { orders, lookNow, vms, requeue, log }: ObeyOptions, signal: AbortSignal) {
  switch (order.action) {
    case 'pause':
      orders.pause(true)
      do await lookNow()
      while (!signal.aborted && vms().some(isActive)) // the cloud may refuse for a while
      return
    case 'resume':
      orders.pause(false)
      return await lookNow()
    case 'limits':
      orders.limit(order.limits)
      return await lookNow()
    case 'requeue':
      log('INFO', `${await requeue()} tasks are in the queue again`)
      return await lookNow()
    case 'stop':
      return
  }
}

function describe({ action, limits: { maxInstances, maxTotalCostUsd } }: ControlOrder): string {
  if (action !== 'limits') return action
  return [
    ...(maxInstances === undefined ? [] : [`max_instances is ${maxInstances}`]),
    ...(maxTotalCostUsd === undefined ? [] : [`max_total_cost is $${maxTotalCostUsd}`]),
  ].join(', ')
}

function isActive({ state }: Vm): boolean {
  return state === 'starting' || state === 'running'
}
