// The Pub/Sub queue keeps its promises, all of them, while requests are refused, time out, hang, and get lost.
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { openProvider } from '../../../infra/gcp/index.ts'
import { queueConformance } from '../../conformance/queue-suite.ts'
import { type PubSubFaults, pubSubSettings, startPubSubFake } from '../../support/pubsub-fake.ts'
import { withGoTools } from '../../support/test-tools.ts'

const FAULTS: PubSubFaults = {
  seed: 7,
  unavailable: 0.03,
  timedOut: 0.02,
  exhausted: 0.02,
  internal: 0.02,
  silent: 0.005,
  transientAck: 0.05,
  lostAnswer: 0.05,
  // What was sent or received twice would break the tests that count: queue-twice.test.ts is for those.
  lostFor: ['Acknowledge', 'CreateSubscription', 'CreateTopic', 'DeleteSubscription', 'GetSubscription', 'Seek'],
}
const KINDS = ['unavailable', 'timedOut', 'exhausted', 'internal', 'silent', 'transientAck', 'lostAnswer']
const struck: Record<string, number> = {}

withGoTools(['pubsub-fake'], () => {
  queueConformance('gcp through a bad network', async () => {
    const fake = await startPubSubFake(FAULTS)
    const { env, ...rest } = pubSubSettings(fake, { monitoring: true })
    const settings = { ...rest, env: { ...env, CLOUD_TASKS_GCP_TIMEOUT_SECONDS: '2' } }
    const provider = openProvider(settings)
    let count = 0
    return {
      provider,
      settings,
      leaseSeconds: 14,
      slackSeconds: 5,
      can: { prioritise: false, countDeliveries: false, noticeEndedLease: true },
      queueName: () => `queue-${++count}`,
      close: async () => {
        await provider.close()
        for (const [kind, times] of Object.entries(await fake.struck())) struck[kind] = (struck[kind] ?? 0) + times
        await fake.close()
      },
    }
  })

  after(() => {
    const idle = KINDS.filter(kind => struck[kind] === undefined)
    assert.deepEqual(idle, [], 'these faults never struck, so nothing was shown of them')
  })
})
