// What every stack promises, written against the seams alone.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { deadLetterQueueName, eventQueueName } from '../../core/names.ts'
import type { Provider } from '../../infra/provider.ts'
import type { Stack, StackSpec } from '../../infra/stack.ts'

export interface StackSubject {
  readonly stack: Stack
  readonly provider: Provider
  /** A job never used before. */
  spec(): StackSpec
  close(): Promise<void>
}

const LIMIT_MS = 300_000

export function stackConformance(name: string, openSubject: () => Promise<StackSubject>): void {
  describe(`${name}: stack`, { timeout: LIMIT_MS }, () => {
    let subject: StackSubject
    before(async () => {
      subject = await openSubject()
    })
    after(() => subject.close())

    const queuesOf = ({ queueName, config }: StackSpec) =>
      [queueName, eventQueueName(queueName), deadLetterQueueName(queueName)].map(queue =>
        subject.provider.openQueue(queue, { leaseSeconds: config.tasks.leaseSeconds }),
      )
    const existing = async (spec: StackSpec) => {
      const depths = await Promise.all(queuesOf(spec).map(queue => queue.admin.depth()))
      return depths.filter(depth => depth !== undefined).length
    }

    it('previews what it would make, and makes nothing', async () => {
      const spec = subject.spec()
      const changes = await subject.stack.preview(spec)
      assert.ok(changes.length >= 3)
      assert.ok(changes.every(change => change.action === 'create'))
      assert.equal(await existing(spec), 0)
    })

    it('makes the queues of tasks, events and dead letters, and says where they are', async () => {
      const spec = subject.spec()
      const { outputs, created } = await subject.stack.up(spec)
      assert.equal(created, true)
      assert.equal(await existing(spec), 3)
      assert.ok(Object.values(outputs).some(output => output.includes(spec.queueName)))
      assert.deepEqual(await subject.stack.preview(spec), [])
      await subject.stack.down(spec)
    })

    it('comes up a second time without touching what is there', async () => {
      const spec = subject.spec()
      await subject.stack.up(spec)
      const [tasks] = queuesOf(spec)
      await tasks?.send([{ body: 'kept' }])
      assert.equal((await subject.stack.up(spec)).created, false)
      const deliveries = await tasks?.receive({ maxMessages: 1, waitSeconds: 10 })
      assert.deepEqual(
        deliveries?.map(({ body }) => body),
        ['kept'],
      )
      await subject.stack.down(spec)
    })

    it('goes down with everything, also twice, also before it was up', async () => {
      const spec = subject.spec()
      await subject.stack.down(spec)
      await subject.stack.up(spec)
      await subject.stack.down(spec)
      await subject.stack.down(spec)
      assert.equal(await existing(spec), 0)
    })
  })
}
