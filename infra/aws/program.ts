// The app of "cdk deploy -c config=job.yml [-c manager=here]": one stack with the job's pool.
import { resolve } from 'node:path'
import { App, Stack } from 'aws-cdk-lib'
import { messageOf, UserError } from '../../core/errors.ts'
import { planOf } from '../pool-plan.ts'
import { SpotTaskPool } from './cdk/spot-task-pool.ts'
import { stackNameOf } from './stack-name.ts'

try {
  makeApp()
} catch (error) {
  if (!(error instanceof UserError)) throw error
  process.stderr.write(`${messageOf(error)}\n`)
  process.exitCode = error.exitCode
}

function makeApp(): void {
  const app = new App({ analyticsReporting: false })
  const path: unknown = app.node.tryGetContext('config')
  const manager: unknown = app.node.tryGetContext('manager') ?? 'serverless'
  if (typeof path !== 'string') {
    throw new UserError('Which job? Give its file: npx cdk deploy -c config=../../job.yml')
  }
  if (manager !== 'serverless' && manager !== 'here') {
    throw new UserError(`-c manager=${String(manager)} is neither serverless nor here.`)
  }
  const { config, jobId } = planOf({ jobFile: resolve(path) }, 'aws')
  const region = config.region ?? process.env.CDK_DEFAULT_REGION
  const stack = new Stack(app, stackNameOf(jobId), {
    description: `Cloud Tasks job ${jobId}`,
    ...(region !== undefined && { env: { region } }),
  })
  new SpotTaskPool(stack, 'Pool', { config, manager })
}
