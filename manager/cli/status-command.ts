// status: the VMs of a job, what they cost, and how many tasks wait.
import { existsSync } from 'node:fs'
import { openJobDb } from '../job-db.ts'
import { unfinishedCount } from '../job-db-status.ts'
import type { ServerlessState } from '../serverless/orders.ts'
import { summarizeVms } from '../vm-summary.ts'
import { renderVmSummary } from '../vm-table.ts'
import { readCloudManager } from './cloud-manager.ts'
import type { Invocation } from './invocation.ts'
import { openJob } from './open-job.ts'
import { openPool } from './prepare-job.ts'

export async function statusCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  await using job = await openJob(invocation)
  const groups = summarizeVms((await openPool(job).list()).filter(vm => vm.state !== 'terminated'))
  const depth = await job.queues.tasks.admin.depth()
  const file = options.text('db-file') ?? job.config.dbFile
  const counts = file !== undefined && existsSync(file) ? readCounts(file) : undefined
  const manager = await readCloudManager(job)
  if (options.has('json')) {
    const facts = { job_id: job.jobId, instances: groups, queue: depth, tasks: counts, manager }
    terminal.print(JSON.stringify(facts, undefined, 2))
    return 0
  }
  terminal.print(`Job: ${job.jobId} on ${job.config.provider}`)
  terminal.print(groups.length === 0 ? 'No VMs are running.' : renderVmSummary(groups))
  if (depth === undefined) terminal.print(`Queue '${job.queues.tasks.name}' does not exist.`)
  else
    terminal.print(
      `Current queue depth: ${depth.ready + depth.delayed}${depth.leased > 0 ? ` (and ${depth.leased} in the hands of agents)` : ''}`,
    )
  if (manager !== undefined) terminal.print(`Manager in the cloud: ${describe(manager)}`)
  if (counts !== undefined) {
    const shown = Object.entries(counts).filter(([, count]) => count > 0)
    terminal.print(`Tasks: ${shown.map(([status, count]) => `${count} ${status}`).join(', ') || 'none'}`)
    terminal.print(`Not finished: ${unfinishedCount(counts)}`)
  }
  return 0
}

function describe({ stopped, spentUsd, reason }: ServerlessState): string {
  const spent = `$${spentUsd.toFixed(2)} spent`
  if (stopped === undefined) return reason === undefined ? spent : `${spent}; ${reason}`
  return `stopped, ${spent}: ${stopped.because}. cloud-tasks deploy lets it go on.`
}

function readCounts(file: string) {
  const db = openJobDb(file, { mode: 'readonly' })
  try {
    return db.counts()
  } finally {
    db.close()
  }
}
