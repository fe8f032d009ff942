// The SQS queue keeps its promises, all of them, while requests are throttled, fail, get lost, hang, or are done in part.
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { openProvider } from '../../../infra/aws/index.ts'
import { queueConformance } from '../../conformance/queue-suite.ts'
import { lostAnswer, lostRequest, silence, slowAnswer, startFaultProxy } from '../../support/fault-proxy.ts'
import { failedEntry, failingServer, only, REPEATABLE, throttled } from '../../support/fault-proxy-sqs.ts'
import { emulatorSettings, startSqsServer } from '../../support/sqs-server.ts'

const FAULTS = [
  ...throttled(0.02),
  ...failingServer(0.04),
  lostRequest(0.02),
  // What was sent or received twice would break the tests that count: queue-at-least-once.ts is for those.
  only(lostAnswer(0.05), ({ action }) => REPEATABLE.has(action)),
  slowAnswer(0.02),
  // A receive that times out here may be answered there, and its messages are nobody's until their lease ends.
  only(silence(0.01), ({ action }) => action !== 'ReceiveMessage' && action !== 'ChangeMessageVisibilityBatch'),
  failedEntry(0.05),
]
const struck = new Map<string, number>()

queueConformance('aws through a bad network', async () => {
  const server = await startSqsServer()
  const proxy = await startFaultProxy({ upstream: server.url, seed: 7, faults: FAULTS })
  const { env, ...rest } = emulatorSettings(proxy.url)
  const settings = { ...rest, env: { ...env, CLOUD_TASKS_AWS_TIMEOUT_SECONDS: '4' } }
  const provider = openProvider(settings)
  let count = 0
  return {
    provider,
    settings,
    leaseSeconds: 8,
    slackSeconds: 4,
    can: { prioritise: false, countDeliveries: false, noticeEndedLease: true },
    queueName: () => `queue-${++count}`,
    close: async () => {
      await provider.close()
      await proxy.close()
      await server.close()
      for (const [name, count] of proxy.struck) struck.set(name, (struck.get(name) ?? 0) + count)
    },
  }
})

after(() => {
  const idle = FAULTS.map(({ name }) => name).filter(name => !struck.has(name))
  assert.deepEqual(idle, [], 'these faults never struck, so nothing was shown of them')
})
