// The SQS queue passes the suite of all queues on a second emulator, written by other people from the same documentation.
import { openProvider } from '../../../infra/aws/index.ts'
import { queueConformance } from '../../conformance/queue-suite.ts'
import { startMinistack } from '../../support/ministack.ts'
import { emulatorSettings } from '../../support/sqs-server.ts'
import { withTools } from '../../support/test-tools.ts'

withTools(() =>
  queueConformance('aws on ministack', async () => {
    const server = await startMinistack()
    const settings = emulatorSettings(server.endpoint)
    const provider = openProvider(settings)
    let count = 0
    return {
      provider,
      settings,
      leaseSeconds: 5,
      slackSeconds: 2,
      can: { prioritise: false, countDeliveries: false, noticeEndedLease: true },
      queueName: () => `queue-${++count}`,
      close: async () => {
        await provider.close()
        await server.close()
      },
    }
  }),
)
