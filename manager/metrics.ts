// What a running job looks like to Prometheus: read from the job DB, the last look at the VMs, and the queues, when it is asked for.
import { Histogram, processMetrics, renderMetrics } from '../core/metrics-text.ts'
import type { Queue, QueueDepth } from '../infra/provider.ts'
import type { AppliedBatch } from './applied-batch.ts'
import { ELAPSED_OF_ATTEMPT } from './eta-history.ts'
import type { JobDb } from './job-db.ts'
import { readEventCounts, readRetriedCount } from './job-db-counters.ts'
import { readLedger, sumDivisions } from './ledger.ts'
import { usdPerHourOf } from './progress.ts'
import type { ProgressWatch } from './progress-watch.ts'

export interface JobMetrics {
  /** What was collected. */
  hear(batch: Pick<AppliedBatch, 'stored' | 'duplicateCount' | 'malformed'>): void
  render(): Promise<string>
}

export interface JobMetricsOptions {
  readonly jobId: string
  readonly provider: string
  readonly db: JobDb
  readonly progress: ProgressWatch
  readonly events: Queue
}

const OUTCOMES = ['completed', 'exception', 'timed_out', 'exited', 'interrupted'] as const
const DEPTH_EVERY_MS = 10_000 // a cloud charges for the question, and a scraper may be eager

export function openJobMetrics({ jobId, provider, db, progress, events }: JobMetricsOptions): JobMetrics {
  const durations = new Histogram()
  const collected = { stored: 0, duplicate: 0, malformed: 0 }
  const eventsDepth = remembered(() => events.admin.depth(), DEPTH_EVERY_MS)
  return {
    hear({ stored, duplicateCount, malformed }) {
      collected.stored += stored.length
      collected.duplicate += duplicateCount
      collected.malformed += malformed.length
      for (const event of stored) {
        const seconds = ELAPSED_OF_ATTEMPT.exec(event)?.[1]
        if (seconds !== undefined) durations.observe(Number(seconds))
      }
    },
    async render() {
      const view = progress.look()
      const { counts, vms, spentUsd, capUsd, forecast } = view
      const byType = readEventCounts(db.sqlite, true)
      const everyVm = db.vms()
      const parts = sumDivisions(readLedger(db.sqlite).map(line => line.microUsd))
      const rest = forecast?.remainingUsd
      return renderMetrics({
        cloud_tasks_job_info: [[{ job_id: jobId, provider }, 1]],
        cloud_tasks_job_tasks: Object.entries(counts).map(([status, count]) => [{ status }, count] as const),
        cloud_tasks_job_attempts_total: OUTCOMES.map(
          outcome => [{ outcome }, byType.get(`task_${outcome}`) ?? 0] as const,
        ),
        cloud_tasks_job_retries_total: readRetriedCount(db.sqlite),
        cloud_tasks_job_attempt_duration_seconds: durations,
        cloud_tasks_job_events_total: Object.entries(collected).map(([result, count]) => [{ result }, count] as const),
        cloud_tasks_job_queue_messages: [
          ...depthSamples('tasks', progress.depth),
          ...depthSamples('events', await eventsDepth()),
        ],
        cloud_tasks_job_vms: (['starting', 'running', 'stopping'] as const).map(
          state => [{ state }, vms.filter(vm => vm.state === state).length] as const,
        ),
        cloud_tasks_job_vms_launched_total: everyVm.length,
        cloud_tasks_job_vms_preempted_total: everyVm.filter(vm => vm.endReason === 'preempted').length,
        cloud_tasks_job_slots: (['starting', 'running'] as const).map(
          state => [{ state }, progress.slotsIn(vms, state)] as const,
        ),
        cloud_tasks_job_cost_usd_total: spentUsd,
        cloud_tasks_job_cost_part_usd: (['useful', 'lost', 'boot', 'idle'] as const).map(
          part => [{ part }, parts[part] / 1e6] as const,
        ),
        cloud_tasks_job_cost_limit_usd: capUsd,
        cloud_tasks_job_vms_usd_per_hour: usdPerHourOf(vms),
        cloud_tasks_job_end_timestamp_seconds: forecast && [
          [{ bound: 'p10' }, forecast.p10At.getTime() / 1000],
          [{ bound: 'p50' }, forecast.p50At.getTime() / 1000],
          [{ bound: 'p90' }, forecast.p90At.getTime() / 1000],
        ],
        cloud_tasks_job_end_cost_usd: rest && [
          [{ bound: 'p10' }, spentUsd + rest.p10],
          [{ bound: 'p50' }, spentUsd + rest.p50],
          [{ bound: 'p90' }, spentUsd + rest.p90],
        ],
        ...processMetrics(),
      })
    },
  }
}

function depthSamples(queue: string, depth: QueueDepth | undefined) {
  if (depth === undefined) return []
  return (['ready', 'leased', 'delayed'] as const).map(state => [{ queue, state }, depth[state]] as const)
}

/** Asks again only when the answer is old. A queue that does not answer is left out. */
function remembered<T>(ask: () => Promise<T | undefined>, maxAgeMs: number): () => Promise<T | undefined> {
  let answer: Promise<T | undefined> | undefined
  let atMs = 0
  return () => {
    if (answer === undefined || Date.now() - atMs > maxAgeMs) {
      atMs = Date.now()
      answer = ask().catch(() => undefined)
    }
    return answer
  }
}
