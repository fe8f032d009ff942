// What the SQS queue does that other clouds' need not: attributes, dead letters, characters, waits that SQS imposes, and the
// number of requests.
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type QueueAttributeName,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { systemClock } from '../../../core/clock.ts'
import { receipt } from '../../../core/ids.ts'
import { openProvider } from '../../../infra/aws/index.ts'
import type { Provider, Queue } from '../../../infra/provider.ts'
import { bodiesOf, drain, receiptsOf } from '../../conformance/fresh-queue.ts'
import { type Exchange, type Fault, type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts'
import { sqsError } from '../../support/fault-proxy-sqs.ts'
import { emulatorSettings, type SqsServer, startSqsServer } from '../../support/sqs-server.ts'

const TWELVE_HOURS_MS = 12 * 3600 * 1000

describe('queue on SQS', { timeout: 60_000 }, () => {
  let server: SqsServer
  let proxy: FaultProxy
  let provider: Provider
  let client: SQSClient
  let count = 0
  /** What a test does to the requests that pass. */
  let meddle: Pick<Fault, 'concerns' | 'strike'> | undefined
  before(async () => {
    server = await startSqsServer()
    const fault: Fault = {
      name: 'of the test',
      share: 1,
      concerns: exchange => meddle?.concerns?.(exchange) ?? false,
      strike: async exchange => meddle?.strike(exchange),
    }
    proxy = await startFaultProxy({ upstream: server.url, faults: [fault] })
    provider = openProvider(emulatorSettings(proxy.url))
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
    client = new SQSClient({ region: 'us-east-1', endpoint: server.url, credentials, useQueueUrlAsEndpoint: false })
  })
  beforeEach(() => {
    meddle = undefined
  })
  after(async () => {
    await provider.close()
    client.destroy()
    await proxy.close()
    await server.close()
  })

  const open = (name = `sqs-${++count}`): Queue => provider.openQueue(name, { leaseSeconds: 60 })
  const urlOf = async ({ name }: Queue) => (await client.send(new GetQueueUrlCommand({ QueueName: name }))).QueueUrl
  const attributesOf = async (queue: Queue) => {
    const AttributeNames: QueueAttributeName[] = ['All']
    const command = new GetQueueAttributesCommand({ QueueUrl: await urlOf(queue), AttributeNames })
    return (await client.send(command)).Attributes ?? {}
  }
  const requests = (action: string) => proxy.counts.get(action) ?? 0

  it('makes a queue that keeps messages for 14 days, encrypted, up to 1 MiB each, with the lease of the job', async () => {
    const queue = provider.openQueue('with-attributes', { leaseSeconds: 75 })
    let asked: Record<string, string> = {}
    meddle = {
      concerns: ({ action }) => action === 'CreateQueue',
      strike: async exchange => {
        asked = JSON.parse(exchange.body.toString()).Attributes
        exchange.reply(await exchange.forward())
      },
    }
    await queue.admin.ensure()
    assert.equal(asked.SqsManagedSseEnabled, 'true') // which fauxqs does not keep
    const { VisibilityTimeout, MessageRetentionPeriod, MaximumMessageSize } = await attributesOf(queue)
    assert.deepEqual([VisibilityTimeout, MessageRetentionPeriod, MaximumMessageSize], ['75', '1209600', '1048576'])
  })

  it('ties a task queue to its dead-letter queue, whichever is made first, and leaves other attributes alone', async () => {
    const tasks = open('tied')
    await tasks.admin.ensure()
    assert.equal((await attributesOf(tasks)).RedrivePolicy, undefined)
    await open('tied-dead').admin.ensure()
    await provider.openQueue('tied', { leaseSeconds: 90 }).admin.ensure()
    const { RedrivePolicy = '', VisibilityTimeout } = await attributesOf(tasks)
    const { deadLetterTargetArn, maxReceiveCount } = JSON.parse(RedrivePolicy)
    assert.match(deadLetterTargetArn, /:tied-dead$/)
    assert.equal(maxReceiveCount, 1000)
    assert.equal(VisibilityTimeout, '60')
    assert.equal((await attributesOf(open('tied-dead'))).RedrivePolicy, undefined)
  })

  it('waits while SQS still deletes a queue of the same name', async () => {
    const queue = open()
    let refusals = 0
    meddle = {
      concerns: ({ action }) => action === 'CreateQueue' && refusals < 1,
      strike: async exchange => {
        refusals++
        exchange.reply(sqsError(400, 'QueueDeletedRecently', 'You must wait 60 seconds'))
      },
    }
    await queue.admin.ensure()
    assert.equal(refusals, 1)
    assert.notEqual(await queue.admin.depth(), undefined)
  })

  it('waits while another purge of the queue is under way', async () => {
    const queue = open()
    await queue.send([{ body: 'old' }])
    let refusals = 0
    meddle = {
      concerns: ({ action }) => action === 'PurgeQueue' && refusals < 1,
      strike: async exchange => {
        refusals++
        exchange.reply(
          sqsError(403, 'PurgeQueueInProgress', 'Only one PurgeQueue operation is allowed every 60 seconds'),
        )
      },
    }
    await queue.admin.purge()
    assert.equal(refusals, 1)
    assert.deepEqual(await queue.receive({ maxMessages: 10, waitSeconds: 0 }), [])
  })

  it('is made by the first send, not by looking at it', async () => {
    const queue = open()
    assert.deepEqual(await queue.receive({ maxMessages: 1, waitSeconds: 0 }), [])
    assert.equal(await queue.admin.depth(), undefined)
    await queue.send([{ body: 'x' }])
    assert.deepEqual(bodiesOf(await drain(queue, 1)), ['x'])
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

  it('carries the task id as an attribute, for whoever looks at the queue', async () => {
    const queue = open()
    await queue.send([{ body: 'x', taskId: 'img-17' }])
    const command = new ReceiveMessageCommand({ QueueUrl: await urlOf(queue), MessageAttributeNames: ['All'] })
    const [message] = (await client.send(command)).Messages ?? []
    assert.equal(message?.MessageAttributes?.TaskId?.StringValue, 'img-17')
  })

  it('sends an id that fits into no attribute in the body alone', async () => {
    const queue = open()
    const ids = ['', 'bell \u0007', 'x'.repeat(5_000)]
    await queue.send(ids.map((taskId, index) => ({ body: `b${index}`, taskId })))
    assert.deepEqual(bodiesOf(await drain(queue, 3)), ['b0', 'b1', 'b2'])
  })

  it('escapes characters that SQS does not take where the body is JSON, and refuses the body where it is not', async () => {
    const queue = open()
    const odd = { text: 'end \uffff of \ufffe plane, half \ud83d' }
    const raw = `{"text":"${odd.text}"}`
    await queue.send([{ body: raw }])
    const [delivery] = await drain(queue, 1)
    assert.deepEqual(JSON.parse(delivery?.body ?? ''), odd)
    const refused = queue.send([{ body: 'good' }, { body: 'bell \u0007' }, { body: '' }])
    await assert.rejects(refused, { unsent: [1, 2], message: /^Message 1 \(and 1 more\) .* contains U\+0007/ })
    assert.deepEqual(bodiesOf(await drain(queue, 1)), ['good'])
  })

  it('receives and deletes a long queue with ten messages in nearly every request', async () => {
    const queue = open()
    const total = 1_500
    await queue.send(Array.from({ length: total }, (_, index) => ({ body: `${index}` })))
    const before = requests('ReceiveMessage') + requests('DeleteMessageBatch')
    for (let left = total; left > 0; ) {
      const deliveries = await queue.receive({ maxMessages: 137, waitSeconds: 20 })
      assert.ok(deliveries.length <= 137)
      left -= deliveries.length
      assert.deepEqual(await queue.ack(receiptsOf(deliveries)), { lost: [] })
    }
    const used = requests('ReceiveMessage') + requests('DeleteMessageBatch') - before
    assert.ok(used < 0.22 * total, `${used} requests for ${total} messages`)
  })

  it('waits for an empty queue with one request, however many messages are wanted', async () => {
    const queue = open()
    await queue.admin.ensure()
    const before = requests('ReceiveMessage')
    assert.deepEqual(await queue.receive({ maxMessages: 500, waitSeconds: 2 }), [])
    assert.equal(requests('ReceiveMessage') - before, 1)
  })

  it('hands back at once what arrives after a receive was aborted', async () => {
    const queue = open()
    await queue.send([{ body: 'late' }])
    const stop = new AbortController()
    const answered = Promise.withResolvers<void>()
    let first = true
    meddle = {
      concerns: ({ action }) => action === 'ReceiveMessage' && first,
      // The answer is on its way when the caller gives up.
      strike: async exchange => {
        first = false
        const answer = await exchange.forward()
        stop.abort()
        answered.resolve()
        exchange.reply(answer)
      },
    }
    assert.deepEqual(await queue.receive({ maxMessages: 10, waitSeconds: 20, signal: stop.signal }), [])
    await answered.promise
    const startedMs = systemClock.now()
    assert.deepEqual(bodiesOf(await drain(open(queue.name), 1)), ['late'])
    assert.ok(systemClock.now() - startedMs < 2_000)
  })

  it('does not send an ended lease to SQS, which would delete the message from under somebody else', async () => {
    const queue = provider.openQueue(open().name, { leaseSeconds: 1 })
    await queue.send([{ body: 'x' }])
    const held = receiptsOf(await drain(queue, 1))
    await systemClock.sleep(1_100)
    const before = requests('DeleteMessageBatch')
    assert.deepEqual(await queue.ack(held), { lost: held })
    assert.equal(requests('DeleteMessageBatch'), before)
  })

  it('renews up to twelve hours after the receive and no further', async () => {
    const queue = open()
    await queue.send([{ body: 'a' }, { body: 'b' }])
    const [early, late] = receiptsOf(await drain(queue, 2))
    assert.ok(early !== undefined && late !== undefined)
    const asked: number[] = []
    meddle = {
      concerns: ({ action }) => action === 'ChangeMessageVisibilityBatch',
      strike: async exchange => {
        asked.push(...visibilitiesOf(exchange))
        exchange.reply(await exchange.forward())
      },
    }
    // 90 s before the limit, of which the last minute is kept free; and 50 s before it.
    const nearLimit = receivedAt(early, systemClock.now() - TWELVE_HOURS_MS + 90_000)
    const pastLimit = receivedAt(late, systemClock.now() - TWELVE_HOURS_MS + 50_000)
    assert.deepEqual(await queue.renew([nearLimit, pastLimit]), { lost: [pastLimit] })
    assert.equal(asked.length, 1)
    assert.ok((asked[0] ?? 0) > 25 && (asked[0] ?? 0) <= 30, `${asked}`)
  })
})

/** The same receipt, had its message been received at another time. */
function receivedAt(text: string, ms: number) {
  return receipt(text.replace(/^[^:]*/, ms.toString(36)))
}

function visibilitiesOf({ body }: Exchange): number[] {
  const { Entries }: { Entries: { VisibilityTimeout: number }[] } = JSON.parse(body.toString())
  return Entries.map(({ VisibilityTimeout }) => VisibilityTimeout)
}
