// deploy and destroy: what is static of a job, brought up and taken down through its stack.
import { UserError } from '../../core/errors.ts'
import { resumeCloudManager } from './cloud-manager.ts'
import type { Invocation } from './invocation.ts'
import { takeDownStack } from './job-stack.ts'
import { openJob } from './open-job.ts'
import { openPool } from './prepare-job.ts'

export async function deployCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  await using job = await openJob(invocation)
  const stack = await job.openStack()
  const spec = { ...job.stackSpec, manager: options.has('no-manager') ? 'here' : 'serverless' } as const
  if (options.has('dry-run')) {
    const changes = await stack.preview(spec)
    for (const { action, resource } of changes) terminal.print(`would ${action} ${resource}`)
    if (changes.length === 0) terminal.print('Nothing would change.')
    return 0
  }
  const { outputs } = await stack.up(spec)
  if (spec.manager === 'serverless') await resumeCloudManager(job)
  terminal.print(`Job '${job.jobId}' is deployed.`)
  for (const [purpose, address] of Object.entries(outputs)) terminal.print(`  ${purpose}: ${address}`)
  return 0
}

/** VMs first: what uses the stack ends before the stack does. */
export async function destroyCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  await using job = await openJob(invocation)
  if (!options.has('force')) {
    const question = `This ends all VMs of '${job.jobId}' and deletes its queues with all messages. Type 'DESTROY ${job.jobId}' to confirm: `
    const answer = await terminal.ask(question, { piped: true })
    if (answer === undefined) throw new UserError('Nothing was destroyed: give --force, or confirm.')
    if (answer !== `DESTROY ${job.jobId}`) {
      terminal.print('Operation cancelled.')
      return 0
    }
  }
  await takeDownStack(job, { pool: openPool(job), keepResults: false })
  terminal.print(`Job '${job.jobId}' is destroyed. Its database is kept.`)
  return 0
}
