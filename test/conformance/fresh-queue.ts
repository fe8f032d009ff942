// A fresh queue for a test, and taking messages out of it.
import assert from 'node:assert/strict'
import { systemClock } from '../../core/clock.ts'
import type { Receipt } from '../../core/ids.ts'
import type { Delivery, Queue } from '../../infra/provider.ts'
import type { QueueSubject } from './queue-suite.ts'

const DRAIN_MS = 30_000
export const LONG_LEASE_SECONDS = 600 // longer than any test; clouds with shorter leases give their longest

/** With a lease that does not end during a test, unless another is given. */
export async function openFreshQueue(subject: QueueSubject, leaseSeconds = LONG_LEASE_SECONDS): Promise<Queue> {
  const { provider } = subject
  const lease = { leaseSeconds: Math.min(leaseSeconds, provider.limits.maxLeaseSeconds) }
  const queue = provider.openQueue(subject.queueName(), lease)
  await queue.admin.ensure()
  return queue
}

/** Receives until there are `count`; fails rather than wait for ever. */
export async function drain(queue: Queue, count: number): Promise<readonly Delivery[]> {
  const deliveries: Delivery[] = []
  const deadlineMs = systemClock.now() + DRAIN_MS
  while (deliveries.length < count) {
    const maxMessages = count - deliveries.length
    deliveries.push(...(await queue.receive({ maxMessages, waitSeconds: 2 })))
    assert.ok(systemClock.now() < deadlineMs, `only ${deliveries.length} of ${count} messages came`)
  }
  return deliveries
}

export function bodiesOf(deliveries: readonly Delivery[]): readonly string[] {
  return deliveries.map(({ body }) => body).toSorted()
}

export function receiptsOf(deliveries: readonly (Delivery | undefined)[]): readonly Receipt[] {
  return deliveries.flatMap(delivery => (delivery === undefined ? [] : [delivery.receipt]))
}
