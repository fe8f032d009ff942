// stop: ends all VMs of a job, at once and without a question.
import { stopCloudManager } from './cloud-manager.ts'
import type { Invocation } from './invocation.ts'
import { openJob } from './open-job.ts'
import { openPool } from './prepare-job.ts'

export async function stopCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  await using job = await openJob(invocation)
  terminal.print(`Stopping job '${job.jobId}'...`)
  await stopCloudManager(job)
  const pool = openPool(job)
  const active = (await pool.list()).filter(vm => vm.state !== 'terminated')
  await pool.terminate(active.map(vm => vm.id))
  if (active.length > 0) terminal.print(`Ended ${active.length} VMs`)
  if (options.has('purge-queue')) {
    await job.queues.tasks.admin.purge()
    terminal.print(`Queue '${job.queues.tasks.name}' has been emptied`)
  }
  terminal.print(`Job '${job.jobId}' stopped`)
  return 0
}
