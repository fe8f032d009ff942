// A program: brings up the stack of the job with the given id on the emulator at the given address, with a serverless manager.
import { AwsStack } from '../../../infra/aws/stack.ts'
import { jobConfigWith } from '../../support/job-config.ts'
import { BUCKET, emulatorSettings, IMAGE, REGION } from './stack-emulators.ts'

const [endpoint = '', jobId = ''] = process.argv.slice(2)
const config = jobConfigWith({
  provider: 'aws',
  run: { startup_script: 'echo hello', image: IMAGE },
  aws: { job_id: jobId, region: REGION },
})
await new AwsStack(emulatorSettings(endpoint, BUCKET)).up({ jobId, queueName: jobId, config, manager: 'serverless' })
