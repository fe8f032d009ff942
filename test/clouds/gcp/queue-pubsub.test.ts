// What the Pub/Sub queue does that other clouds' need not: topics and subscriptions that are made, broken and completed, leases
// of others' subscriptions, delays, requests of the service's size, and a depth that comes from elsewhere.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { PubSub } from '@google-cloud/pubsub'
import { systemClock } from '../../../core/clock.ts'
import { openProvider } from '../../../infra/gcp/index.ts'
import type { Provider, Queue } from '../../../infra/provider.ts'
import { bodiesOf, drain, receiptsOf } from '../../conformance/fresh-queue.ts'
import { type PubSubFake, pubSubSettings, startPubSubFake } from '../../support/pubsub-fake.ts'
import { withGoTools } from '../../support/test-tools.ts'

process.env.METADATA_SERVER_DETECTION = 'none' // for the SDK itself, which looks for one although it is told of an emulator

withGoTools(['pubsub-fake'], () => {
  describe('queue on Pub/Sub', { timeout: 90_000 }, () => {
    let fake: PubSubFake
    let provider: Provider
    /** As other programs see it. */
    let sdk: PubSub
    let count = 0
    before(async () => {
      fake = await startPubSubFake()
      provider = openProvider(pubSubSettings(fake))
      sdk = new PubSub({ projectId: 'test-project', apiEndpoint: fake.host, emulatorMode: true })
    })
    after(async () => {
      await provider.close()
      await sdk.close()
      await fake.close()
    })

    const open = (name = `pubsub-${++count}`, leaseSeconds = 60): Queue => provider.openQueue(name, { leaseSeconds })
    const requests = async (method: string) => (await fake.counts())[method] ?? 0
    const receiveNow = (queue: Queue, maxMessages = 10) => queue.receive({ maxMessages, waitSeconds: 0 })

    it('makes a subscription that never expires, keeps messages for 7 days, and has the lease of the job', async () => {
      const exact = openProvider({ ...pubSubSettings(fake), exactlyOnceQueue: true })
      await exact.openQueue('with-settings', { leaseSeconds: 75 }).admin.ensure()
      await exact.close()
      const [made] = await sdk.subscription('with-settings-subscription').getMetadata()
      assert.equal(made.topic, 'projects/test-project/topics/with-settings-topic')
      assert.equal(made.ackDeadlineSeconds, 75)
      assert.equal(Number(made.messageRetentionDuration?.seconds), 7 * 86_400)
      assert.equal(made.enableExactlyOnceDelivery, true)
      assert.ok(made.expirationPolicy && !made.expirationPolicy.ttl)
      assert.ok(!made.deadLetterPolicy)
    })

    it('clips leases to what Pub/Sub allows', async () => {
      await open('brief', 1).admin.ensure()
      const [made] = await sdk.subscription('brief-subscription').getMetadata()
      assert.equal(made.ackDeadlineSeconds, 10)
    })

    it('is made by the first send, not by looking at it', async () => {
      const queue = open()
      assert.deepEqual(await receiveNow(queue), [])
      assert.equal(await queue.admin.depth(), undefined)
      await queue.send([{ body: 'x' }])
      assert.deepEqual(bodiesOf(await drain(queue, 1)), ['x'])
    })

    it('sends nothing into a topic that nobody is subscribed to, as one who died while making it leaves it', async () => {
      const queue = open()
      await sdk.createTopic(`${queue.name}-topic`)
      await queue.send([{ body: 'kept' }])
      assert.deepEqual(bodiesOf(await drain(queue, 1)), ['kept'])
    })

    it('replaces a subscription whose topic was removed', async () => {
      const queue = open()
      await queue.send([{ body: 'old' }])
      await sdk.topic(`${queue.name}-topic`).delete()
      assert.equal(await queue.admin.depth(), undefined)
      await queue.send([{ body: 'new' }])
      assert.deepEqual(bodiesOf(await drain(queue, 1)), ['new'])
    })

    it('reports everything as lost when the queue is gone, and sends to the new one', async () => {
      const queue = open()
      await queue.send([{ body: 'old' }])
      const held = receiptsOf(await drain(queue, 1))
      await open(queue.name).admin.remove()
      assert.deepEqual(await queue.ack(held), { lost: held })
      await queue.send([{ body: 'new' }])
      assert.deepEqual(bodiesOf(await drain(queue, 1)), ['new'])
    })

    it('carries the task id as an attribute, and an id that fits into none in the body alone', async () => {
      const queue = open()
      await queue.send([{ body: 'x', taskId: 'img-17' }])
      const seen = Promise.withResolvers<string | undefined>()
      const subscription = sdk.subscription(`${queue.name}-subscription`)
      subscription.once('message', message => {
        message.ack()
        seen.resolve(message.attributes.TaskId)
      })
      assert.equal(await seen.promise, 'img-17')
      await subscription.close()
      const other = open()
      await other.send([{ body: '' }, { body: 'b', taskId: '' }, { body: 'c', taskId: 'x'.repeat(5_000) }])
      assert.deepEqual(bodiesOf(await drain(other, 3)), ['', 'b', 'c'])
    })

    it('holds what it received for the lease of its job, whatever the subscription was made with', async () => {
      const queue = open()
      await sdk.createTopic(`${queue.name}-topic`)
      await sdk
        .topic(`${queue.name}-topic`)
        .createSubscription(`${queue.name}-subscription`, { ackDeadlineSeconds: 600 })
      const brief = open(queue.name, 10)
      await brief.send([{ body: 'of a VM that vanished' }])
      await drain(brief, 1)
      const heldAtMs = systemClock.now()
      assert.deepEqual(bodiesOf(await drain(brief, 1)), ['of a VM that vanished'])
      const seconds = (systemClock.now() - heldAtMs) / 1000
      assert.ok(seconds > 9 && seconds < 14, `${seconds} s`)
    })

    it('hands back at once what arrives after a receive was aborted', async () => {
      const queue = open()
      await queue.admin.ensure()
      await receiveNow(queue)
      const stop = new AbortController()
      const before = await requests('Pull')
      const waiting = queue.receive({ maxMessages: 10, waitSeconds: 20, signal: stop.signal })
      while ((await requests('Pull')) === before) await systemClock.sleep(10)
      stop.abort()
      assert.deepEqual(await waiting, [])
      await queue.send([{ body: 'late' }])
      const startedMs = systemClock.now()
      assert.deepEqual(bodiesOf(await drain(open(queue.name), 1)), ['late'])
      assert.ok(systemClock.now() - startedMs < 5_000)
    })

    it('does not send an ended lease to Pub/Sub, which would take the message from under somebody else', async () => {
      const queue = open(undefined, 10)
      await queue.send([{ body: 'x' }])
      const held = receiptsOf(await drain(queue, 1))
      assert.deepEqual(await queue.release(held, 0), { lost: [] })
      const before = await requests('Acknowledge')
      assert.deepEqual(await queue.ack(held), { lost: held })
      assert.equal(await requests('Acknowledge'), before)
    })

    it('believes an exactly-once subscription that a lease is not ours any more, of each message apart', async () => {
      const settings = { ...pubSubSettings(fake), exactlyOnceQueue: true }
      const [one, other] = [openProvider(settings), openProvider(settings)]
      const queue = one.openQueue('exact', { leaseSeconds: 60 })
      await queue.send([{ body: 'a' }, { body: 'b' }, { body: 'c' }])
      const [first, ...rest] = receiptsOf(await drain(queue, 3))
      assert.ok(first !== undefined)
      assert.deepEqual(await other.openQueue('exact', { leaseSeconds: 60 }).release([first], 0), { lost: [] })
      assert.deepEqual(await queue.renew([first, ...rest]), { lost: [first] })
      assert.deepEqual(await queue.ack([first, ...rest]), { lost: [first] })
      assert.equal((await drain(queue, 1)).length, 1)
      await one.close()
      await other.close()
    })

    it('holds back a thousand delayed messages with few requests, once each', async () => {
      const queue = open()
      const total = 1_000
      await queue.send(
        Array.from({ length: total }, (_, index) => ({ body: `${index}`, delaySeconds: 60 + index / 2 })),
      )
      const before = await requests('ModifyAckDeadline')
      for (let round = 0; round < 3; round++) assert.deepEqual(await receiveNow(queue, 1_000), [])
      const used = (await requests('ModifyAckDeadline')) - before
      assert.ok(used > 0 && used < 80, `${used} requests`)
    })

    it('settles thousands of messages in requests that Pub/Sub takes', async () => {
      const queue = open()
      const total = 6_000
      await queue.send(Array.from({ length: total }, (_, index) => ({ body: `${index}` })))
      const held = receiptsOf(await drain(queue, total))
      assert.deepEqual(await queue.renew(held), { lost: [] })
      const before = await requests('Acknowledge')
      assert.deepEqual(await queue.ack(held), { lost: [] })
      assert.equal((await requests('Acknowledge')) - before, 3)
      assert.deepEqual(await receiveNow(queue), [])
    })

    it('publishes a thousand messages or ten megabytes at once', async () => {
      const queue = open()
      const before = await requests('Publish')
      await queue.send(Array.from({ length: 2_500 }, (_, index) => ({ body: `${index}` })))
      await queue.send(Array.from({ length: 5 }, () => ({ body: 'é'.repeat(2_000_000) })))
      assert.equal((await requests('Publish')) - before, 3 + 3)
    })

    it('counts deliveries where a dead-letter policy makes Pub/Sub count, the first hold of a delay not among them', async () => {
      await sdk.createTopic('dead-letters')
      const queue = open()
      await sdk.createTopic(`${queue.name}-topic`)
      const deadLetterPolicy = { deadLetterTopic: sdk.topic('dead-letters').name, maxDeliveryAttempts: 100 }
      await sdk
        .topic(`${queue.name}-topic`)
        .createSubscription(`${queue.name}-subscription`, { ackDeadlineSeconds: 60, deadLetterPolicy })
      await queue.send([{ body: 'x' }])
      const [first] = await drain(queue, 1)
      await queue.release(receiptsOf([first]), 0)
      const [second] = await drain(queue, 1)
      assert.deepEqual([first?.deliveryCount, second?.deliveryCount], [1, 2])
      await queue.send([{ body: 'later', delaySeconds: 2 }])
      assert.deepEqual(await receiveNow(queue), [])
      assert.equal((await drain(queue, 1))[0]?.deliveryCount, 1)
    })

    it('reads its depth from Cloud Monitoring, as an estimate', async () => {
      const watched = openProvider(pubSubSettings(fake, { monitoring: true }))
      const queue = watched.openQueue(`pubsub-${++count}`, { leaseSeconds: 60 })
      await queue.send([{ body: 'a' }, { body: 'b' }, { body: 'c' }])
      await drain(queue, 1)
      assert.deepEqual(await queue.admin.depth(), { ready: 3, leased: 0, delayed: 0, estimated: true })
      await queue.admin.purge()
      assert.deepEqual(await queue.admin.depth(), { ready: 0, leased: 0, delayed: 0, estimated: true })
      await watched.close()
    })

    it('looks at a few messages and puts them back where Cloud Monitoring says no', async () => {
      const denied = createServer((_request, response) => {
        response.writeHead(403, { 'content-type': 'application/json' })
        response.end('{"error":{"code":403,"message":"Permission monitoring.timeSeries.list denied"}}')
      }).listen(0, '127.0.0.1')
      await new Promise(resolve => denied.once('listening', resolve))
      const address = denied.address()
      assert.ok(address !== null && typeof address === 'object')
      const { env, ...rest } = pubSubSettings(fake)
      const CLOUD_TASKS_GCP_MONITORING_URL = `http://127.0.0.1:${address.port}`
      const blind = openProvider({ ...rest, env: { ...env, CLOUD_TASKS_GCP_MONITORING_URL } })
      const queue = blind.openQueue(`pubsub-${++count}`, { leaseSeconds: 60 })
      const bodies = Array.from({ length: 30 }, (_, index) => `m${index}`)
      await queue.send(bodies.map(body => ({ body })))
      assert.deepEqual(await queue.admin.depth(), { ready: 10, leased: 0, delayed: 0, estimated: true })
      assert.deepEqual(bodiesOf(await drain(queue, 30)), bodies.toSorted())
      await blind.close()
      denied.close()
      denied.closeAllConnections()
    })
  })
})
