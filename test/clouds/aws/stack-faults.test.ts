// The stack of a job passes the suite of all stacks while CloudFormation, EC2 and SQS throttle, fail, are slow and silent, and
// answers get lost on their way.
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { openProvider } from '../../../infra/aws/index.ts'
import { AwsStack } from '../../../infra/aws/stack.ts'
import { stackConformance } from '../../conformance/stack-suite.ts'
import { lostAnswer, lostRequest, silence, slowAnswer, startFaultProxy } from '../../support/fault-proxy.ts'
import { jobConfigWith } from '../../support/job-config.ts'
import { startMoto } from '../../support/moto.ts'
import { withTools } from '../../support/test-tools.ts'
import { everyChangeLostOnce, failingServer, throttled } from './query-faults.ts'
import { emulatorSettings, REGION } from './stack-emulators.ts'
import { withCdk } from './template.ts'

const FAULTS = [
  everyChangeLostOnce(),
  ...throttled(0.09),
  ...failingServer(0.08),
  lostRequest(0.05),
  lostAnswer(0.08),
  slowAnswer(0.06),
  silence(0.03),
]
const SEEDS = [11, 12] // one suite is too short for every fault
const struck = new Map<string, number>()

withTools(() =>
  withCdk(() => {
    for (const seed of SEEDS)
      stackConformance(`aws through bad weather ${seed}`, async () => {
        const moto = await startMoto()
        const proxy = await startFaultProxy({ upstream: moto.endpoint, seed, faults: FAULTS })
        // By its name: moto answers wrongly to numbers.
        const { env, ...rest } = emulatorSettings(proxy.url.replace('127.0.0.1', 'localhost'))
        // The queues have a bad weather of their own: see queue-faults.test.ts.
        const provider = openProvider(emulatorSettings(moto.endpoint))
        let count = 0
        return {
          stack: new AwsStack({ ...rest, env: { ...env, CLOUD_TASKS_AWS_TIMEOUT_SECONDS: '4' } }),
          provider,
          spec() {
            const jobId = `stack-${++count}`
            const config = jobConfigWith({
              provider: 'aws',
              run: { startup_script: 'echo hello' },
              aws: { job_id: jobId, region: REGION },
            })
            return { jobId, queueName: jobId, config, manager: 'here' }
          },
          async close() {
            await provider.close()
            await proxy.close()
            await moto.close()
            for (const [name, strikes] of proxy.struck) struck.set(name, (struck.get(name) ?? 0) + strikes)
          },
        }
      })

    after(() => {
      const idle = FAULTS.map(({ name }) => name).filter(name => !struck.has(name))
      assert.deepEqual(idle, [], 'these faults never struck, so nothing was shown of them')
    })
  }),
)
