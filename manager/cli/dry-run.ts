// run --dry-run: what would be done, from the same decisions, with nothing done.
import { existsSync } from 'node:fs'
import { readTaskFile } from '../../infra/task-file/read-task-file.ts'
import { openJobDb } from '../job-db.ts'
import { planLaunch } from '../reconcile-launch.ts'
import type { Choice } from '../select-offers.ts'
import type { Invocation } from './invocation.ts'
import type { OpenJob } from './open-job.ts'

export async function showDryRun(
  job: OpenJob,
  choices: readonly Choice[],
  { options, terminal }: Invocation,
): Promise<number> {
  const { config, jobId } = job
  const taskCount = await countTasks(job, options)
  const spot = config.pool.spot
  const decision = planLaunch({
    config,
    choices: choices.filter(choice => choice.spot === spot),
    sums: { vmCount: 0, vcpuCount: 0, usdPerHour: 0, slotCount: 0 },
    unfinishedCount: taskCount ?? Number.MAX_SAFE_INTEGER,
    spentUsd: 0,
    horizonSeconds: config.watch.scalingCheckSeconds,
  })
  const best = decision.launch?.choices[0] ?? choices[0]
  const changes = await (await job.openStack()).preview(job.stackSpec)
  const lines = [
    `Dry run of job ${jobId} on ${config.provider}: nothing is changed.`,
    `  tasks       ${taskCount ?? 'not known: no task file given'}`,
    ...(best === undefined
      ? []
      : [`  VM          ${describe(best)}`, `  at once     ${best.tasksPerVm} tasks on each`]),
    `  would start ${decision.launch === undefined ? `none: ${decision.reason}` : decision.reason}`,
    ...changes.map(({ action, resource }) => `  would ${action} ${resource}`),
  ]
  if (options.has('json')) {
    terminal.print(
      JSON.stringify({
        task_count: taskCount,
        choice:
          best === undefined
            ? undefined
            : {
                instance_type: best.offer.instanceType,
                boot_disk_type: best.offer.bootDiskType,
                price_per_hour: best.offer.priceUsdPerHour,
              },
        tasks_per_instance: best?.tasksPerVm,
        instances_to_start: decision.launch?.vmCount ?? 0,
        reason: decision.reason,
        changes,
      }),
    )
  } else terminal.print(lines.join('\n'))
  return 0
}

function describe({ offer, spot, bootDiskGib }: Choice): string {
  const price = `$${offer.priceUsdPerHour}/h ${spot ? 'spot' : 'on demand'}`
  return `${offer.instanceType} in ${offer.zone}: ${offer.vcpuCount} vCPUs, ${offer.memoryGib} GB, boot disk ${bootDiskGib} GB, ${price}`
}

/** Reads the whole file, which also checks it. With --continue: what the DB says is left. */
async function countTasks(job: OpenJob, options: Invocation['options']): Promise<number | undefined> {
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
  const [skip, limit] = [options.count('start-task') ?? 0, options.count('limit') ?? 0]
  let count = 0
  const batches = readTaskFile(taskFile, {
    objects: job.provider.openObjects(),
    ...(skip > 0 ? { skip } : undefined),
    ...(limit > 0 ? { limit } : undefined),
  })
  for await (const batch of batches) count += batch.length
  return count
}
