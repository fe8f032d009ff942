// The part of the queue suite about what goes in and comes out: bodies, sizes, batches.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { SendError } from '../../infra/provider.ts'
import { bodiesOf, drain, openFreshQueue } from './fresh-queue.ts'
import type { QueueSubject } from './queue-suite.ts'

export function queueBodySuite(subjectOf: () => QueueSubject): void {
  const open = () => openFreshQueue(subjectOf())

  it('delivers every body as it was sent: one character, any script, emoji, line ends, quotes, 200 kB', async () => {
    const queue = await open()
    const bodies = [
      'x',
      'Ünï — 日本語 — עברית',
      '👩‍🔬🚀',
      'a\nb\r\nc\td',
      `"'\\ %s $HOME \${x}`,
      '{"a":[1,null]}',
      'y'.repeat(200_000),
    ]
    await queue.send(bodies.map(body => ({ body })))
    assert.deepEqual(bodiesOf(await drain(queue, bodies.length)), bodies.toSorted())
  })

  it('never cuts or loses a body with U+0000 or half a surrogate pair in silence, nor its neighbours', async () => {
    for (const odd of ['cut\0here', 'half \ud83d pair']) {
      const queue = await open()
      const refused = await unsentBy(queue.send([{ body: 'one' }, { body: odd }, { body: 'two' }]))
      assert.ok(refused.length === 0 || (refused.length === 1 && refused[0] === 1), `refused ${refused}`)
      const bodies = bodiesOf(await drain(queue, 3 - refused.length))
      const expected = refused.length === 1 ? ['one', 'two'] : ['one', odd.toWellFormed(), 'two'].toSorted()
      assert.deepEqual(bodies, expected)
    }
  })

  it('refuses a body over the limit by index and size, and sends the others', async () => {
    const queue = await open()
    const tooLong = 'é'.repeat(Math.floor(subjectOf().provider.limits.maxBodyBytes / 2) + 1)
    await assert.rejects(queue.send([{ body: 'one' }, { body: tooLong }, { body: 'two' }]), (error: unknown) => {
      assert.ok(error instanceof SendError)
      assert.deepEqual(error.unsent, [1])
      assert.match(error.message, new RegExp(`${Buffer.byteLength(tooLong)}`))
      return true
    })
    assert.deepEqual(bodiesOf(await drain(queue, 2)), ['one', 'two'])
  })

  it('carries a body of exactly the limit', async () => {
    const queue = await open()
    const body = 'z'.repeat(subjectOf().provider.limits.maxBodyBytes)
    await queue.send([{ body }])
    assert.equal((await drain(queue, 1))[0]?.body.length, body.length)
  })

  it('sends and settles nothing without complaint', async () => {
    const queue = await open()
    await queue.send([])
    assert.deepEqual(await queue.ack([]), { lost: [] })
    assert.deepEqual(await queue.renew([]), { lost: [] })
    assert.deepEqual(await queue.release([], 0), { lost: [] })
    assert.deepEqual(await queue.receive({ maxMessages: 5, waitSeconds: 0 }), [])
  })

  it('takes more messages at once than one batch of the cloud holds, and hands out no more than asked', async () => {
    const queue = await open()
    const count = 2 * subjectOf().provider.limits.maxBatch + 5
    await queue.send(Array.from({ length: count }, (_, index) => ({ body: `m${index}` })))
    const some = await queue.receive({ maxMessages: 3, waitSeconds: 10 })
    assert.ok(some.length >= 1 && some.length <= 3, `${some.length} messages`)
    const all = [...some, ...(await drain(queue, count - some.length))]
    assert.equal(new Set(bodiesOf(all)).size, count)
    assert.deepEqual(await queue.ack(all.map(delivery => delivery.receipt)), { lost: [] })
    assert.deepEqual(await queue.receive({ maxMessages: 10, waitSeconds: 0 }), [])
  })
}

async function unsentBy(sending: Promise<void>): Promise<readonly number[]> {
  try {
    await sending
    return []
  } catch (error) {
    assert.ok(error instanceof SendError)
    return error.unsent
  }
}
