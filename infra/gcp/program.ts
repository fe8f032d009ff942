// The program of `pulumi up`: one stack with the job of `pulumi config set jobFile ../../job.yml`.
import { Provider } from '@pulumi/gcp'
import { Config, RunError } from '@pulumi/pulumi'
import { messageOf, UserError } from '../../core/errors.ts'
import { planOf } from '../pool-plan.ts'
import { placeOf } from './pulumi/place.ts'
import { SpotTaskPool } from './pulumi/spot-task-pool.ts'

/** What Pulumi shows as the stack's outputs. */
export default function program() {
  try {
    return makePool().outputs()
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    throw new RunError(messageOf(error)) // which Pulumi shows without a stack trace
  }
}

function makePool(): SpotTaskPool {
  const settings = new Config()
  const jobFile = settings.get('jobFile')
  const manager = settings.get('manager') ?? 'serverless'
  if (jobFile === undefined) {
    throw new UserError('Which job? Give its file: pulumi config set jobFile ../../job.yml')
  }
  if (manager !== 'serverless' && manager !== 'here') {
    throw new UserError(`manager is "${manager}", which is neither serverless nor here.`)
  }
  const { jobId, config } = planOf({ jobFile }, 'gcp')
  const { project, region } = placeOf(jobId, config)
  const { credentials_file: credentials } = config.section
  const provider = new Provider('gcp', { project, region, ...(credentials && { credentials }) })
  return new SpotTaskPool('pool', { config, manager }, { providers: [provider] })
}
