// What every instance promises to the agent that runs on it, written against the seam alone.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../core/clock.ts'
import type { Instance, InstanceInfo, Notice } from '../../infra/provider.ts'

export interface InstanceSubject {
  /** As an agent on the VM sees it. */
  readonly instance: Instance
  readonly expected: InstanceInfo
  /** The slowest that a notice may be to arrive. */
  readonly noticeWithinSeconds: number
  /** From now on the VM has a notice. */
  giveNotice(): Promise<void>
  /** Calls `powerOff` on a VM of its own, from inside; resolves when that VM has ended. */
  powerOffFromInside(): Promise<void>
  close(): Promise<void>
}

const LIMIT_MS = 60_000

export function instanceConformance(name: string, openSubject: () => Promise<InstanceSubject>): void {
  describe(`${name}: instance`, { timeout: LIMIT_MS }, () => {
    let subject: InstanceSubject
    before(async () => {
      subject = await openSubject()
    })
    after(() => subject.close())

    it('knows its id and what it is', async () => {
      assert.deepEqual(await subject.instance.describe(), subject.expected)
    })

    it('tells of no notice while there is none, and ends when asked', async () => {
      const stop = new AbortController()
      const notices = collect(subject.instance.notices(stop.signal))
      await systemClock.sleep(300)
      stop.abort()
      assert.deepEqual(await notices, [])
    })

    it('tells of a notice once, in time, with its deadline; also to who asks later', async () => {
      const stop = new AbortController()
      const iterator = subject.instance.notices(stop.signal)[Symbol.asyncIterator]()
      const first = iterator.next()
      await subject.giveNotice()
      const givenAtMs = systemClock.now()
      const { value } = await first
      assert.ok(systemClock.now() - givenAtMs < subject.noticeWithinSeconds * 1000)
      assert.equal(value?.kind, 'preemption')
      assert.ok(value.deadlineAt.getTime() > givenAtMs - 1000)
      const late = await subject.instance.notices(stop.signal)[Symbol.asyncIterator]().next()
      assert.deepEqual(late.value, value)
      const second = iterator.next()
      await systemClock.sleep(300)
      stop.abort()
      assert.equal((await second).done, true)
    })

    it('can end itself', async () => {
      await subject.powerOffFromInside()
    })
  })
}

async function collect(notices: AsyncIterable<Notice>): Promise<readonly Notice[]> {
  const all: Notice[] = []
  for await (const notice of notices) all.push(notice)
  return all
}
