// run --dry-run: what would be done, from the same decisions, with nothing done.
import { existsSync } from 'node:fs'
import { openJobDb } from '../job-db.ts'
import { firstLaunch } from '../plan.ts'
import type { Choice } from '../select-offers.ts'
import type { Invocation } from './invocation.ts'
import type { OpenJob } from './open-job.ts'
import { surveyTasks } from './survey-tasks.ts'
import { objectsFor } from './task-file-objects.ts'

export async function showDryRun(job: OpenJob, choices: readonly Choice[], invocation: Invocation): Promise<number> {
  const { config, jobId } = job
  const { options, terminal } = invocation
  const taskCount = await countTasks(job, invocation)
  const fitting = choices.filter(choice => choice.spot === config.pool.spot)
  const decision = firstLaunch(fitting, config, taskCount)
  const best = decision.launch?.choices[0] ?? decision.choice
  const changes = await (await job.openStack()).preview(job.stackSpec)
  if (options.has('json')) {
    terminal.print(
      JSON.stringify({
        task_count: taskCount,
        choice: {
          instance_type: best.offer.instanceType,
          boot_disk_type: best.offer.bootDiskType,
          price_per_hour: best.offer.priceUsdPerHour,
        },
        tasks_per_instance: best.tasksPerVm,
        instances_to_start: decision.launch?.vmCount ?? 0,
        reason: decision.reason,
        changes,
      }),
    )
    return 0
  }
  const lines = [
    `Dry run of job ${jobId} on ${config.provider}: nothing is changed.`,
    `  tasks       ${taskCount ?? 'not known: no task file given'}`,
    `  VM          ${describe(best)}`,
    `  at once     ${best.tasksPerVm} tasks on each`,
    `  would start ${decision.launch === undefined ? `none: ${decision.reason}` : decision.reason}`,
    ...changes.map(({ action, resource }) => `  would ${action} ${resource}`),
  ]
  terminal.print(lines.join('\n'))
  return 0
}

function describe({ offer, spot, bootDiskGib }: Choice): string {
  const price = `$${offer.priceUsdPerHour}/h ${spot ? 'spot' : 'on demand'}`
  return `${offer.instanceType} in ${offer.zone}: ${offer.vcpuCount} vCPUs, ${offer.memoryGib} GB, boot disk ${bootDiskGib} GB, ${price}`
}

/** Reads the whole file, which also checks it. With --continue: what the DB says is left. */
async function countTasks(job: OpenJob, invocation: Invocation): Promise<number | undefined> {
  const { options } = invocation
  const file = options.text('db-file') ?? job.config.dbFile
  if (options.has('continue') && file !== undefined && existsSync(file)) {
    const db = openJobDb(file, { mode: 'readonly' })
    try {
      return db.unfinishedCount()
    } finally {
      db.close()
    }
  }
  const taskFile = options.text('task-file')
  if (taskFile === undefined) return undefined
  const { provider, config } = job
  const objects = await objectsFor(taskFile, { provider, config, invocation })
  try {
    return (await surveyTasks(invocation, { taskFile, objects: objects.reader })).count
  } finally {
    await objects.close()
  }
}
