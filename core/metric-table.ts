// Every metric of every program, once: its name, kind, labels and meaning. What is served and what is documented come from here.

interface MetricSpec {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly labels?: readonly string[]
  readonly doc: string
}

/** Served by `cloud-tasks-agent --metrics-port`. */
export const AGENT_METRICS = {
  cloud_tasks_agent_info: {
    kind: 'gauge',
    labels: ['job_id', 'instance_id'],
    doc: 'Always 1: which job and which VM.',
  },
  cloud_tasks_agent_slots: { kind: 'gauge', doc: 'Tasks that can run at once.' },
  cloud_tasks_agent_slots_busy: { kind: 'gauge', doc: 'Tasks that run now.' },
  cloud_tasks_agent_attempts_total: {
    kind: 'counter',
    labels: ['outcome'],
    doc: 'Attempts that ended: completed, exception, timed_out, exited or interrupted.',
  },
  cloud_tasks_agent_retries_total: { kind: 'counter', doc: 'Attempts after which another one was wanted.' },
  cloud_tasks_agent_dead_letters_total: { kind: 'counter', doc: 'Tasks that went to the dead-letter queue.' },
  cloud_tasks_agent_attempt_duration_seconds: { kind: 'histogram', doc: 'How long attempts took.' },
  cloud_tasks_agent_attempt_cpu_seconds_total: { kind: 'counter', doc: 'CPU time of tasks, where it was measured.' },
  cloud_tasks_agent_errors_total: {
    kind: 'counter',
    doc: 'Errors of the agent that stopped no task, such as a queue that did not answer.',
  },
  cloud_tasks_agent_spot_notices_total: { kind: 'counter', doc: 'Notices that the VM will be taken away.' },
} as const satisfies Record<string, MetricSpec>

/** Served by `cloud-tasks run --metrics-port` and `monitor_event_queue --metrics-port`. */
export const JOB_METRICS = {
  cloud_tasks_job_info: { kind: 'gauge', labels: ['job_id', 'provider'], doc: 'Always 1: which job, in which cloud.' },
  cloud_tasks_job_tasks: { kind: 'gauge', labels: ['status'], doc: 'Tasks by their status in the job database.' },
  cloud_tasks_job_attempts_total: {
    kind: 'counter',
    labels: ['outcome'],
    doc: 'Attempts that ended: completed, exception, timed_out, exited or interrupted.',
  },
  cloud_tasks_job_retries_total: {
    kind: 'counter',
    doc: 'Attempts after which another one was wanted; preemptions are not among them.',
  },
  cloud_tasks_job_attempt_duration_seconds: {
    kind: 'histogram',
    doc: 'How long attempts took, of those collected since the program started.',
  },
  cloud_tasks_job_events_total: {
    kind: 'counter',
    labels: ['result'],
    doc: 'Events collected since the program started: stored, duplicate or malformed.',
  },
  cloud_tasks_job_queue_messages: {
    kind: 'gauge',
    labels: ['queue', 'state'],
    doc: 'Messages in the tasks and events queues: ready, leased or delayed. Absent while the queue does not say.',
  },
  cloud_tasks_job_vms: { kind: 'gauge', labels: ['state'], doc: 'VMs starting, running and stopping.' },
  cloud_tasks_job_vms_launched_total: { kind: 'counter', doc: 'VMs that were ever started for the job.' },
  cloud_tasks_job_vms_preempted_total: { kind: 'counter', doc: 'Spot VMs that the cloud took back.' },
  cloud_tasks_job_slots: {
    kind: 'gauge',
    labels: ['state'],
    doc: 'Tasks that the VMs starting and running can run at once.',
  },
  cloud_tasks_job_cost_usd_total: { kind: 'counter', doc: 'What the VMs have cost so far.' },
  cloud_tasks_job_cost_part_usd: {
    kind: 'gauge',
    labels: ['part'],
    doc: 'What that was spent on: useful, lost (to preemptions), boot or idle.',
  },
  cloud_tasks_job_cost_limit_usd: { kind: 'gauge', doc: 'max_total_cost. Absent without one.' },
  cloud_tasks_job_vms_usd_per_hour: { kind: 'gauge', doc: 'What the VMs cost an hour now.' },
  cloud_tasks_job_end_timestamp_seconds: {
    kind: 'gauge',
    labels: ['bound'],
    doc: 'When the job is expected to end: p10, p50 and p90. Absent while too little is known.',
  },
  cloud_tasks_job_end_cost_usd: {
    kind: 'gauge',
    labels: ['bound'],
    doc: 'What the job is expected to have cost then. Absent while too little is known.',
  },
} as const satisfies Record<string, MetricSpec>

/** Served by `cloud-tasks-agent serve` under /metrics. */
export const HTTP_METRICS = {
  cloud_tasks_http_uptime_seconds: { kind: 'gauge', doc: 'Time since the start.' },
  cloud_tasks_http_requests_total: { kind: 'counter', labels: ['route', 'status'], doc: 'Requests answered.' },
  cloud_tasks_http_tasks_claimed_total: { kind: 'counter', doc: 'Claims handed out.' },
  cloud_tasks_http_tasks_completed_total: { kind: 'counter', doc: 'Tasks reported as completed.' },
  cloud_tasks_http_tasks_failed_total: { kind: 'counter', labels: ['retried'], doc: 'Attempts reported as failed.' },
  cloud_tasks_http_claims_expired_total: { kind: 'counter', doc: 'Claims whose worker was not heard of again.' },
  cloud_tasks_http_tasks_created_total: { kind: 'counter', doc: 'Tasks added through the API.' },
  cloud_tasks_http_heartbeats_total: { kind: 'counter', doc: 'Leases prolonged.' },
  cloud_tasks_http_processing_seconds_total: { kind: 'counter', doc: 'Time between claims and their ends.' },
  cloud_tasks_http_claims: { kind: 'gauge', doc: 'Tasks claimed now.' },
  cloud_tasks_http_queue_messages: {
    kind: 'gauge',
    labels: ['state'],
    doc: 'Messages in the task queue: ready, leased or delayed.',
  },
} as const satisfies Record<string, MetricSpec>

/** Of the program itself, beside any of the others; named as every Prometheus client names them. */
export const PROCESS_METRICS = {
  process_start_time_seconds: { kind: 'gauge', doc: 'When the program started, in seconds since 1970.' },
  process_cpu_seconds_total: { kind: 'counter', doc: 'CPU time of the program itself.' },
  process_resident_memory_bytes: { kind: 'gauge', doc: 'Memory of the program itself.' },
} as const satisfies Record<string, MetricSpec>

const ALL = { ...AGENT_METRICS, ...JOB_METRICS, ...HTTP_METRICS, ...PROCESS_METRICS }
export type MetricName = keyof typeof ALL

export function metricSpec(name: MetricName): MetricSpec {
  return ALL[name]
}
