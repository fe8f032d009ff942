// The SQS queue passes the suite of all queues.
import { openProvider } from '../../../infra/aws/index.ts'
import { queueConformance } from '../../conformance/queue-suite.ts'
import { emulatorSettings, startSqsServer } from '../../support/sqs-server.ts'

queueConformance('aws on fauxqs', async () => {
  const server = await startSqsServer()
  const settings = emulatorSettings(server.url)
  const provider = openProvider(settings)
  let count = 0
  return {
    provider,
    settings,
    leaseSeconds: 4,
    slackSeconds: 1,
    can: { prioritise: false, countDeliveries: false, noticeEndedLease: true },
    queueName: () => `queue-${++count}`,
    close: async () => {
      await provider.close()
      await server.close()
    },
  }
})
