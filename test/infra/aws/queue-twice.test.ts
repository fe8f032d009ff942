// The SQS queue loses nothing while messages come twice, answers get lost, and requests fail in every way at once.
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { openProvider } from '../../../infra/aws/index.ts'
import { queueAtLeastOnce } from '../../conformance/queue-at-least-once.ts'
import { lostAnswer, lostRequest, slowAnswer, startFaultProxy } from '../../support/fault-proxy.ts'
import { duplicateDelivery, failedEntry, failingServer, throttled } from '../../support/fault-proxy-sqs.ts'
import { emulatorSettings, startSqsServer } from '../../support/sqs-server.ts'

const FAULTS = [
  duplicateDelivery(0.2),
  lostAnswer(0.08),
  lostRequest(0.05),
  failedEntry(0.1),
  slowAnswer(0.03),
  ...throttled(0.05),
  ...failingServer(0.06),
]
const struck = new Map<string, number>()

queueAtLeastOnce('aws', async () => {
  const server = await startSqsServer()
  const proxy = await startFaultProxy({ upstream: server.url, seed: 11, faults: FAULTS })
  const settings = emulatorSettings(proxy.url)
  const provider = openProvider(settings)
  return {
    provider,
    settings,
    leaseSeconds: 3,
    slackSeconds: 2,
    can: { prioritise: false, countDeliveries: false, noticeEndedLease: true },
    queueName: () => 'twice',
    close: async () => {
      await provider.close()
      await proxy.close()
      await server.close()
      for (const [name, count] of proxy.struck) struck.set(name, count)
    },
  }
})

after(() => {
  const idle = FAULTS.map(({ name }) => name).filter(name => !struck.has(name))
  assert.deepEqual(idle, [], 'these faults never struck, so nothing was shown of them')
})
