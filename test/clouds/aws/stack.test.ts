// The stack of a job on AWS, deployed for real: by the CDK in this process, through CloudFormation, onto an emulator.

import { openProvider } from '../../../infra/aws/index.ts'
import { AwsStack } from '../../../infra/aws/stack.ts'
import type { StackSpec } from '../../../infra/stack.ts'
import { stackConformance } from '../../conformance/stack-suite.ts'
import { jobConfigWith } from '../../support/job-config.ts'
import { startMoto } from '../../support/moto.ts'
import { withTools } from '../../support/test-tools.ts'

const REGION = 'us-east-1'

withTools(() => {
  stackConformance('aws on moto', async () => {
    const moto = await startMoto()
    const settings = settingsFor(moto.endpoint)
    const provider = openProvider(settings)
    let count = 0
    return {
      stack: new AwsStack(settings),
      provider,
      spec: () => specOf(`stack-${++count}`),
      async close() {
        await provider.close()
        await moto.close()
      },
    }
  })
})

function settingsFor(endpoint: string) {
  const env = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
  return { region: REGION, env }
}

function specOf(jobId: string): StackSpec {
  const config = jobConfigWith({
    provider: 'aws',
    run: { startup_script: 'echo hello' },
    aws: { job_id: jobId, region: REGION },
  })
  return { jobId, queueName: jobId, config, manager: 'here' }
}
