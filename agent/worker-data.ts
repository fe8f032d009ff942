// What task code may know of the agent: the peer's worker data, as the `hello` line carries it.
import { eventQueueName } from '../core/names.ts'
import type { AgentSettings } from '../core/settings.ts'
import type { Json } from '../core/task.ts'

export interface Resolved {
  readonly queueName: string | undefined
  readonly slotCount: number
  readonly eventsToQueue: boolean
  readonly eventsToFile: boolean
}

export function workerData(
  s: AgentSettings,
  { queueName, slotCount, eventsToQueue, eventsToFile }: Resolved,
): Readonly<Record<string, Json>> {
  return {
    provider: s.provider?.toUpperCase() ?? null,
    project_id: s.projectId ?? null,
    job_id: s.jobId ?? null,
    queue_name: queueName ?? null,
    exactly_once_queue: s.exactlyOnceQueue,
    event_log_to_queue: eventsToQueue,
    event_log_queue_name: eventsToQueue && queueName !== undefined ? eventQueueName(queueName) : null,
    event_log_to_file: eventsToFile,
    event_log_file: eventsToFile ? s.eventLogFile : null,
    keepalive_interval: s.keepaliveIntervalSeconds,
    instance_type: s.instanceType ?? null,
    num_cpus: s.vcpuCount ?? null,
    memory_gb: s.memoryGb ?? null,
    local_ssd_gb: s.localSsdGb ?? null,
    boot_disk_gb: s.bootDiskGb ?? null,
    is_spot: s.spot ?? null,
    price_per_hour: s.pricePerHour ?? null,
    num_simultaneous_tasks: slotCount,
    max_runtime: s.maxRuntimeSeconds,
    max_memory_allowed_per_task: s.maxMemoryPerTaskGb ?? null,
    shutdown_grace_period: s.shutdownGraceSeconds,
    retry_on_exit: s.retryOnExit ?? null,
    retry_on_exception: s.retryOnException ?? null,
    retry_on_timeout: s.retryOnTimeout ?? null,
    simulate_spot_termination_after: s.simulateNoticeAfterSeconds ?? null,
    simulate_spot_termination_delay: s.simulateNoticeDelaySeconds ?? null,
  }
}
