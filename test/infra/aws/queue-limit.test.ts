// The number of requests at once grows while answers stay quick, and shrinks when the service throttles or only queues them.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AdaptiveLimit } from '../../../infra/adaptive-limit.ts'

/** The most that ran at once while `count` requests were made, each with the answer that `answer` gives for it. */
async function mostAtOnce(
  limit: AdaptiveLimit,
  count: number,
  answer: (running: number) => [ms: number, throttled: boolean],
) {
  let running = 0
  let most = 0
  const request = () =>
    limit.run(async () => {
      most = Math.max(most, ++running)
      const [tookMs, throttled] = answer(running)
      await new Promise(resolve => setImmediate(resolve))
      limit.learn(tookMs, throttled)
      running--
    })
  await Promise.all(Array.from({ length: count }, request))
  return most
}

describe('requests at once', () => {
  it('begin with few and grow while that makes no answer slower', async () => {
    const limit = new AdaptiveLimit()
    assert.equal(await mostAtOnce(limit, 4, () => [20, false]), 4)
    assert.equal(await mostAtOnce(limit, 2_000, () => [20, false]), 64)
  })

  it('stop growing where more at once only wait for each other', async () => {
    const most = await mostAtOnce(new AdaptiveLimit(), 2_000, running => [20 * Math.max(1, running / 6), false])
    assert.ok(most >= 6 && most <= 24, `${most} at once`)
  })

  it('shrink when the service throttles, once for all that were under way', async () => {
    const limit = new AdaptiveLimit()
    await mostAtOnce(limit, 2_000, () => [20, false])
    await mostAtOnce(limit, 64, () => [20, true])
    assert.equal(await mostAtOnce(limit, 40, () => [20, true]), 38) // 64 × 0.6
  })

  it('never fall below one', async () => {
    const limit = new AdaptiveLimit()
    await mostAtOnce(limit, 50, () => [20, true])
    assert.ok((await mostAtOnce(limit, 50, () => [20, true])) >= 1)
  })

  it('go on after work that fails', async () => {
    const limit = new AdaptiveLimit()
    const failing = Array.from({ length: 20 }, () => limit.run(() => Promise.reject(new Error('no'))))
    assert.ok((await Promise.allSettled(failing)).every(({ status }) => status === 'rejected'))
    assert.equal(await limit.run(async () => 'yes'), 'yes')
  })
})
