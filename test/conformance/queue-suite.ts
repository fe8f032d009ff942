// What every queue promises, written against the seam alone. A cloud passes by calling `queueConformance` with its emulator.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../core/clock.ts'
import { receipt } from '../../core/ids.ts'
import type { ProviderSettings } from '../../infra/open-provider.ts'
import type { Provider } from '../../infra/provider.ts'
import { bodiesOf, drain, openFreshQueue, receiptsOf } from './fresh-queue.ts'
import { queueBodySuite } from './queue-body-suite.ts'
import { queueProcessSuite } from './queue-process-suite.ts'

export interface QueueSubject {
  readonly provider: Provider
  /** Opens the same cloud in another process. */
  readonly settings: ProviderSettings
  /** The shortest lease the cloud can do. */
  readonly leaseSeconds: number
  /** How much later than promised things may happen there. */
  readonly slackSeconds: number
  readonly can: {
    readonly prioritise: boolean
    /** A release does not count as a delivery. */
    readonly countDeliveries: boolean
    /** An ended lease is noticed although nobody else has taken the message. */
    readonly noticeEndedLease: boolean
  }
  /** Never used before. */
  queueName(): string
  close(): Promise<void>
}

const LIMIT_MS = 120_000 // usually 20 s; a machine with much else to do takes its time

export function queueConformance(name: string, openSubject: () => Promise<QueueSubject>): void {
  describe(`${name}: queue`, { concurrency: true, timeout: LIMIT_MS }, () => {
    let subject: QueueSubject
    before(async () => {
      subject = await openSubject()
    })
    after(() => subject.close())

    const open = () => openFreshQueue(subject)
    const openBrief = () => openFreshQueue(subject, subject.leaseSeconds)
    const leaseEnd = () => systemClock.sleep((subject.leaseSeconds + subject.slackSeconds) * 1000)

    queueBodySuite(() => subject)

    it('waits for the first message and returns as soon as it is there', async () => {
      const queue = await open()
      const startedAtMs = systemClock.now()
      const waiting = queue.receive({ maxMessages: 10, waitSeconds: 20 })
      await systemClock.sleep(100)
      await queue.send([{ body: 'late' }])
      assert.deepEqual(bodiesOf(await waiting), ['late'])
      assert.ok(systemClock.now() - startedAtMs < 5_000 + subject.slackSeconds * 1000)
    })

    it('returns empty when the wait is over', async () => {
      const queue = await open()
      const startedAtMs = systemClock.now()
      assert.deepEqual(await queue.receive({ maxMessages: 10, waitSeconds: 1 }), [])
      const waitedMs = systemClock.now() - startedAtMs
      assert.ok(waitedMs >= 900 && waitedMs < 3_000 + subject.slackSeconds * 1000, `${waitedMs} ms`)
    })

    it('ends a wait when the signal aborts, and holds nothing afterwards', async () => {
      const queue = await open()
      const stop = new AbortController()
      const waiting = queue.receive({ maxMessages: 10, waitSeconds: 20, signal: stop.signal })
      await systemClock.sleep(50)
      const abortedAtMs = systemClock.now()
      stop.abort()
      assert.deepEqual(await waiting, [])
      assert.ok(systemClock.now() - abortedAtMs < 1_000)
      assert.deepEqual(await queue.receive({ maxMessages: 1, waitSeconds: 5, signal: stop.signal }), [])
      await queue.send([{ body: 'after' }])
      const [delivery] = await drain(queue, 1)
      assert.equal(delivery?.body, 'after')
      if (subject.can.countDeliveries) assert.equal(delivery?.deliveryCount, 1)
    })

    it('gives a held message to nobody else, and an acked one never again', async () => {
      const queue = await openBrief()
      await queue.send([{ body: 'once' }])
      const [held] = await drain(queue, 1)
      assert.deepEqual(await queue.receive({ maxMessages: 10, waitSeconds: 0 }), [])
      assert.deepEqual(await queue.ack(receiptsOf([held])), { lost: [] })
      await leaseEnd()
      assert.deepEqual(await queue.receive({ maxMessages: 10, waitSeconds: 0 }), [])
    })

    it('redelivers a message whose lease has ended, and reports the old receipt as lost', async () => {
      const queue = await openBrief()
      await queue.send([{ body: 'again' }])
      const [first] = await drain(queue, 1)
      const [second] = await drain(queue, 1)
      assert.ok(first !== undefined && second !== undefined)
      assert.notEqual(second.receipt, first.receipt)
      if (subject.can.countDeliveries) assert.deepEqual([first.deliveryCount, second.deliveryCount], [1, 2])
      assert.deepEqual(await queue.renew([first.receipt]), { lost: [first.receipt] })
      assert.deepEqual(await queue.release([first.receipt], 0), { lost: [first.receipt] })
      assert.deepEqual(await queue.ack([first.receipt]), { lost: [first.receipt] })
      assert.deepEqual(await queue.ack([second.receipt]), { lost: [] })
    })

    it('reports an ended lease as lost before anybody else has come, and keeps the message', async context => {
      if (!subject.can.noticeEndedLease) return context.diagnostic(`${name} cannot tell`)
      const queue = await openBrief()
      await queue.send([{ body: 'kept' }])
      const [held] = await drain(queue, 1)
      await leaseEnd()
      assert.deepEqual(await queue.ack(receiptsOf([held])), { lost: receiptsOf([held]) })
      assert.deepEqual(bodiesOf(await drain(queue, 1)), ['kept'])
    })

    it('keeps a renewed lease alive far beyond its length', async () => {
      const queue = await openBrief()
      await queue.send([{ body: 'long' }, { body: 'longer' }])
      const held = await drain(queue, 2)
      for (let renewal = 0; renewal < 5; renewal++) {
        await systemClock.sleep(subject.leaseSeconds * 500)
        assert.deepEqual(await queue.renew(receiptsOf(held)), { lost: [] })
        assert.deepEqual(await queue.receive({ maxMessages: 10, waitSeconds: 0 }), [])
      }
      assert.deepEqual(await queue.ack(receiptsOf(held)), { lost: [] })
    })

    it('ends a lease on time that is renewed for a shorter one', async () => {
      const long = await open()
      const brief = subject.provider.openQueue(long.name, { leaseSeconds: subject.leaseSeconds })
      await long.send([{ body: 'cut short' }])
      const held = await drain(long, 1)
      const renewedAtMs = systemClock.now()
      assert.deepEqual(await brief.renew(receiptsOf(held)), { lost: [] })
      assert.deepEqual(await long.receive({ maxMessages: 1, waitSeconds: 0 }), [])
      assert.deepEqual(bodiesOf(await drain(long, 1)), ['cut short'])
      const tookSeconds = (systemClock.now() - renewedAtMs) / 1000
      const { leaseSeconds, slackSeconds } = subject
      assert.ok(tookSeconds > leaseSeconds * 0.9 && tookSeconds < leaseSeconds + slackSeconds + 2, `${tookSeconds} s`)
      assert.deepEqual(await brief.ack(receiptsOf(held)), { lost: receiptsOf(held) })
    })

    it('shows a released message to others within a second', async () => {
      const queue = await open()
      await queue.send([{ body: 'back' }, { body: 'kept' }])
      const held = await drain(queue, 2)
      const back = held.filter(({ body }) => body === 'back')
      const releasedAtMs = systemClock.now()
      assert.deepEqual(await queue.release(receiptsOf(back), 0), { lost: [] })
      const [again] = await drain(queue, 1)
      assert.ok(systemClock.now() - releasedAtMs < 1_000 + subject.slackSeconds * 1000)
      assert.equal(again?.body, 'back')
      if (subject.can.countDeliveries) assert.equal(again?.deliveryCount, 1)
      assert.deepEqual(await queue.ack(receiptsOf(back)), { lost: receiptsOf(back) })
    })

    it('keeps a released message back for its delay', async () => {
      const queue = await open()
      await queue.send([{ body: 'later' }])
      await queue.release(receiptsOf(await drain(queue, 1)), 2)
      assert.deepEqual(await queue.receive({ maxMessages: 1, waitSeconds: 0.5 }), [])
      assert.deepEqual(bodiesOf(await drain(queue, 1)), ['later'])
    })

    it('keeps a message sent with a delay back for it', async () => {
      const queue = await open()
      await queue.send([{ body: 'now' }, { body: 'later', delaySeconds: 2 }])
      assert.deepEqual(bodiesOf(await queue.receive({ maxMessages: 10, waitSeconds: 0.5 })), ['now'])
      assert.deepEqual(bodiesOf(await drain(queue, 1)), ['later'])
    })

    it('serves high before normal before low', async context => {
      if (!subject.can.prioritise) return context.diagnostic(`${name} has no priorities`)
      const queue = await open()
      await queue.send([{ body: 'c', priority: 'low' }, { body: 'b' }, { body: 'a', priority: 'high' }])
      const served = []
      for (let count = 0; count < 3; count++) served.push(...(await queue.receive({ maxMessages: 1, waitSeconds: 10 })))
      assert.deepEqual(
        served.map(({ body }) => body),
        ['a', 'b', 'c'],
      )
    })

    it('settles the good among the lost', async () => {
      const queue = await open()
      await queue.send([{ body: 'a' }, { body: 'b' }, { body: 'c' }])
      const held = await drain(queue, 3)
      const [first, ...others] = receiptsOf(held)
      assert.ok(first !== undefined)
      await queue.release([first], 60)
      const { lost } = await queue.ack([first, ...others])
      assert.deepEqual(lost, [first])
      assert.equal((await queue.ack([receipt('no receipt of ours')])).lost.length, 1)
    })

    it('counts what is ready, held and delayed', async () => {
      const queue = await open()
      await queue.send([{ body: 'a' }, { body: 'b' }, { body: 'c' }, { body: 'd', delaySeconds: 60 }])
      await queue.receive({ maxMessages: 1, waitSeconds: 10 })
      const depth = await queue.admin.depth()
      assert.ok(depth !== undefined)
      if (!depth.estimated) assert.deepEqual(depth, { ready: 2, leased: 1, delayed: 1, estimated: false })
    })

    it('purges held messages too, and stays usable', async () => {
      const queue = await openBrief()
      await queue.send([{ body: 'held' }, { body: 'ready' }, { body: 'delayed', delaySeconds: 1 }])
      await queue.receive({ maxMessages: 1, waitSeconds: 10 })
      await queue.admin.purge()
      await leaseEnd()
      assert.deepEqual(await queue.receive({ maxMessages: 10, waitSeconds: 0.2 }), [])
      await queue.send([{ body: 'new' }])
      assert.deepEqual(bodiesOf(await drain(queue, 1)), ['new'])
    })

    it('can be made, removed and made again any number of times', async () => {
      const queue = subject.provider.openQueue(subject.queueName(), { leaseSeconds: 600 })
      assert.equal(await queue.admin.depth(), undefined)
      await Promise.all([queue.admin.ensure(), queue.admin.ensure()])
      await queue.send([{ body: 'old' }])
      await queue.admin.ensure()
      assert.deepEqual(bodiesOf(await drain(queue, 1)), ['old'])
      await queue.admin.remove()
      await queue.admin.remove()
      assert.equal(await queue.admin.depth(), undefined)
      await queue.admin.ensure()
      assert.deepEqual(await queue.receive({ maxMessages: 10, waitSeconds: 0 }), [])
    })

    queueProcessSuite(() => subject)
  })

  it(`${name}: provider closes twice`, async () => {
    const subject = await openSubject()
    await subject.provider.openQueue(subject.queueName(), { leaseSeconds: 60 }).admin.ensure()
    await subject.provider.close()
    await subject.provider.close()
    await subject.close()
  })
}
