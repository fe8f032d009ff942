// The Pub/Sub queue loses nothing while messages come twice, answers get lost, and requests fail in every way at once.
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { openProvider } from '../../../infra/gcp/index.ts'
import { queueAtLeastOnce } from '../../conformance/queue-at-least-once.ts'
import { type PubSubFaults, pubSubSettings, startPubSubFake } from '../../support/pubsub-fake.ts'
import { withGoTools } from '../../support/test-tools.ts'

const FAULTS: PubSubFaults = {
  seed: 11,
  duplicate: 0.3,
  lostAnswer: 0.08,
  unavailable: 0.05,
  timedOut: 0.02,
  exhausted: 0.02,
  internal: 0.03,
  transientAck: 0.1,
}
const KINDS = ['duplicate', 'lostAnswer', 'unavailable', 'timedOut', 'exhausted', 'internal', 'transientAck']
const struck: Record<string, number> = {}

withGoTools(['pubsub-fake'], () => {
  for (const exactlyOnceQueue of [false, true]) {
    queueAtLeastOnce(exactlyOnceQueue ? 'gcp, exactly once' : 'gcp', async () => {
      const fake = await startPubSubFake(FAULTS)
      const settings = { ...pubSubSettings(fake), exactlyOnceQueue }
      const provider = openProvider(settings)
      return {
        provider,
        settings,
        leaseSeconds: 10,
        slackSeconds: 2,
        can: { prioritise: false, countDeliveries: false, noticeEndedLease: true },
        queueName: () => 'twice',
        close: async () => {
          await provider.close()
          for (const [kind, times] of Object.entries(await fake.struck())) struck[kind] = (struck[kind] ?? 0) + times
          await fake.close()
        },
      }
    })
  }

  after(() => {
    const idle = KINDS.filter(kind => struck[kind] === undefined)
    assert.deepEqual(idle, [], 'these faults never struck, so nothing was shown of them')
  })
})
