// A job on the local provider that is looked after by looks of the serverless manager alone. As in a cloud, what the manager
// knows of the job is one packed text; only the startup scripts, which a cloud's VM template holds, are rendered from the job file.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parse } from 'yaml'
import { systemClock } from '../../core/clock.ts'
import { eventQueueName } from '../../core/names.ts'
import { type PackedJob, packJob, unpackJob } from '../../core/packed-job.ts'
import { openProvider } from '../../infra/open-provider.ts'
import type { Provider } from '../../infra/provider.ts'
import { collectEvents } from '../../manager/collector.ts'
import { openJobDb } from '../../manager/job-db.ts'
import { serverlessTick, type TickOptions, type TickSummary } from '../../manager/serverless/tick.ts'
import { startupScriptFor } from '../../manager/startup-scripts.ts'
import { jobConfigWith } from './job-config.ts'
import type { JobFolder } from './job-folder.ts'

export interface ServerlessJob {
  readonly job: PackedJob
  readonly root: string
  readonly provider: Provider
  tick(options?: Partial<TickOptions>): Promise<TickSummary>
  close(): Promise<void>
}

/** Of the folder's `job.yml` as it is now. */
export async function openServerlessJob(folder: string, { claimMs = 2000 } = {}): Promise<ServerlessJob> {
  const config = jobConfigWith(parse(readFileSync(join(folder, 'job.yml'), 'utf8')), folder)
  const { jobId = '', queueName = '' } = config
  const job = unpackJob(packJob({ jobId, queueName, config, content: config.boot.task ?? '' }))
  const root = join(folder, '.cloud-tasks')
  const { section } = config
  const provider = await openProvider('local', {
    local: {
      root,
      ...(section.price_per_hour !== undefined && { pricePerHour: section.price_per_hour }),
      ...(section.capacity !== undefined && { capacity: section.capacity }),
      ...(section.boot_seconds !== undefined && { bootSeconds: section.boot_seconds }),
      ...(section.vcpus_per_vm !== undefined && { vcpusPerVm: section.vcpus_per_vm }),
      ...(section.notice_seconds !== undefined && { noticeSeconds: section.notice_seconds }),
    },
    env: {},
  })
  const extra = { RMS_CLOUD_TASKS_LOCAL_ROOT: root }
  return {
    job,
    root,
    provider,
    tick: options =>
      serverlessTick({
        provider,
        job,
        until: new Date(systemClock.now() + claimMs),
        log: () => {},
        lookSeconds: 1,
        scriptOf: (choice, paidUntil) => startupScriptFor(choice, { config, jobId, queueName, extra, paidUntil }),
        ...options,
      }),
    close: () => provider.close(),
  }
}

export interface LocalVm {
  readonly id: string
  readonly launchedMs: number
  /** undefined = it lives. */
  readonly endedMs: number | undefined
  readonly endReason: string | undefined
}

/** The truth about VMs: the local cloud's own register. */
export function registeredVms(folder: JobFolder): readonly LocalVm[] {
  const registry = new DatabaseSync(folder.file('.cloud-tasks/vms.sqlite'), { readOnly: true, timeout: 5000 })
  try {
    const rows = registry.prepare('SELECT id, launched_ms, ended_ms, end_reason FROM vms ORDER BY ordinal').all()
    return rows.map(row => ({
      id: String(row.id),
      launchedMs: Number(row.launched_ms),
      endedMs: row.ended_ms === null ? undefined : Number(row.ended_ms),
      endReason: row.end_reason === null ? undefined : String(row.end_reason),
    }))
  } finally {
    registry.close()
  }
}

/** What they have cost, each rounded to a micro-dollar. */
export function costOf(vms: readonly LocalVm[], usdPerHour: number): number {
  const ms = (vm: LocalVm) => (vm.endedMs ?? Date.now()) - vm.launchedMs
  return vms.reduce((sum, vm) => sum + Math.round((ms(vm) * usdPerHour * 1e6) / 3_600_000), 0) / 1e6
}

/** Reads the results that wait in the event queue into the job's database. */
export async function collectResults({ provider, job }: ServerlessJob, folder: JobFolder): Promise<void> {
  const db = openJobDb(folder.dbFile, { mode: 'existing' })
  const queue = provider.openQueue(eventQueueName(job.queueName), { leaseSeconds: 10 })
  try {
    await collectEvents({ queue, db, signal: AbortSignal.timeout(20_000), untilFinished: true })
  } finally {
    db.close()
  }
}

/** Looks every `everyMs` until one of them meets `until`. */
export async function tickUntil(
  job: ServerlessJob,
  until: (summary: TickSummary) => boolean,
  { everyMs = 300, withinMs = 60_000, ...options }: Partial<TickOptions> & { everyMs?: number; withinMs?: number } = {},
): Promise<TickSummary> {
  const deadlineMs = systemClock.now() + withinMs
  for (;;) {
    const summary = await job.tick(options)
    if (until(summary)) return summary
    assert.ok(systemClock.now() < deadlineMs, `looked in vain: ${JSON.stringify(summary)}`)
    await systemClock.sleep(everyMs)
  }
}

/** The queue is empty and no VM is left. */
export function drained(summary: TickSummary): boolean {
  return summary.kind === 'looked' && summary.backlog === 0 && summary.vmCount === 0
}

/** As SQS counts. */
export function withRoughCounts(provider: Provider): TickOptions['provider'] {
  return providerWith(provider, {
    openQueue: (name, options) => {
      const queue = provider.openQueue(name, options)
      const depth = async () => {
        const exact = await queue.admin.depth()
        return exact && { ...exact, estimated: true }
      }
      return { admin: { depth } }
    },
  })
}

/** What a look uses of a provider, with some of it replaced. */
export function providerWith(provider: Provider, parts: Partial<TickOptions['provider']>): TickOptions['provider'] {
  return {
    openQueue: (name, options) => provider.openQueue(name, options),
    openPool: job => provider.openPool(job),
    openCatalog: () => provider.openCatalog(),
    openNotebook: job => provider.openNotebook(job),
    ...parts,
  }
}
