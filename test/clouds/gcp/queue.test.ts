// The Pub/Sub queue passes the suite of all queues: on usual subscriptions, and on those of exactly-once delivery.
import { openProvider } from '../../../infra/gcp/index.ts'
import { queueConformance } from '../../conformance/queue-suite.ts'
import { pubSubSettings, startPubSubFake } from '../../support/pubsub-fake.ts'
import { withGoTools } from '../../support/test-tools.ts'

withGoTools(['pubsub-fake'], () => {
  for (const exactlyOnceQueue of [false, true]) {
    queueConformance(exactlyOnceQueue ? 'gcp, exactly once' : 'gcp', async () => {
      const fake = await startPubSubFake()
      const settings = { ...pubSubSettings(fake, { monitoring: true }), exactlyOnceQueue }
      const provider = openProvider(settings)
      let count = 0
      return {
        provider,
        settings,
        leaseSeconds: 10,
        slackSeconds: 1,
        can: { prioritise: false, countDeliveries: false, noticeEndedLease: true },
        queueName: () => `queue-${++count}`,
        close: async () => {
          await provider.close()
          await fake.close()
        },
      }
    })
  }
})
