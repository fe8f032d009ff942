// Every setting of the agent, once: its option, its environment variable, its unit, its default and what it means.
// Parsing, --help and the documentation all read this table. No default lives anywhere else.

interface Setting {
  /** Long option without the dashes; a boolean one also exists as `no-…`. */
  readonly flag: string
  /** Further spellings of the option. */
  readonly aliases?: readonly string[]
  readonly env: string
  readonly type: 'text' | 'integer' | 'number' | 'boolean'
  /** Smallest value allowed. */
  readonly min?: number
  /** The value must be more than `min`, not equal to it. */
  readonly aboveMin?: boolean
  readonly unit?: string
  readonly default?: string | number | boolean
  readonly doc: string
}

const AGENT_SETTINGS = {
  provider: {
    flag: 'provider',
    env: 'RMS_CLOUD_TASKS_PROVIDER',
    type: 'text',
    doc: 'cloud of the queue: local, aws, gcp or azure; needed unless there is a task file',
  },
  projectId: { flag: 'project-id', env: 'RMS_CLOUD_TASKS_PROJECT_ID', type: 'text', doc: 'GCP project' },
  region: { flag: 'region', env: 'RMS_CLOUD_TASKS_REGION', type: 'text', doc: 'region of the queue' },
  bucket: {
    flag: 'bucket',
    env: 'RMS_CLOUD_TASKS_BUCKET',
    type: 'text',
    doc: 'bucket for results and checkpoints too large for a message',
  },
  localRoot: { flag: 'local-root', env: 'RMS_CLOUD_TASKS_LOCAL_ROOT', type: 'text', doc: 'folder of the local cloud' },
  taskFile: {
    flag: 'task-file',
    aliases: ['tasks'],
    env: 'RMS_CLOUD_TASKS_TASK_FILE',
    type: 'text',
    doc: 'run the tasks of this file or URL instead of a queue, then exit',
  },
  jobId: { flag: 'job-id', env: 'RMS_CLOUD_TASKS_JOB_ID', type: 'text', doc: 'name of the job' },
  queueName: {
    flag: 'queue-name',
    env: 'RMS_CLOUD_TASKS_QUEUE_NAME',
    type: 'text',
    doc: 'task queue (default: the job id)',
  },
  exactlyOnceQueue: {
    flag: 'exactly-once-queue',
    env: 'RMS_CLOUD_TASKS_EXACTLY_ONCE_QUEUE',
    type: 'boolean',
    default: false,
    doc: 'the queue delivers exactly once, where the cloud can',
  },
  leaseSeconds: {
    flag: 'visibility-timeout',
    env: 'RMS_CLOUD_TASKS_VISIBILITY_TIMEOUT_SECONDS',
    type: 'number',
    min: 0,
    aboveMin: true,
    unit: 's',
    default: 60,
    doc: 'lease of a message, renewed at half time; what a vanished VM costs',
  },
  eventLogFile: {
    flag: 'event-log-file',
    env: 'RMS_CLOUD_TASKS_EVENT_LOG_FILE',
    type: 'text',
    default: 'events.log',
    doc: 'file that events are appended to',
  },
  eventLogToFile: {
    flag: 'event-log-to-file',
    env: 'RMS_CLOUD_TASKS_EVENT_LOG_TO_FILE',
    type: 'boolean',
    doc: 'write events to the file (default: with a task file)',
  },
  eventLogToQueue: {
    flag: 'event-log-to-queue',
    env: 'RMS_CLOUD_TASKS_EVENT_LOG_TO_QUEUE',
    type: 'boolean',
    doc: 'send events to the <queue>-events queue (default: without a task file)',
  },
  keepaliveIntervalSeconds: {
    flag: 'keepalive-interval',
    env: 'RMS_CLOUD_TASKS_KEEPALIVE_INTERVAL',
    type: 'number',
    min: 0,
    unit: 's',
    default: 60,
    doc: 'time between keep-alive events; 0 = none',
  },
  instanceType: {
    flag: 'instance-type',
    env: 'RMS_CLOUD_TASKS_INSTANCE_TYPE',
    type: 'text',
    doc: 'instance type of this computer; information for the task',
  },
  vcpuCount: {
    flag: 'num-cpus',
    env: 'RMS_CLOUD_TASKS_INSTANCE_NUM_VCPUS',
    type: 'integer',
    min: 0,
    doc: 'vCPUs of this computer',
  },
  memoryGb: {
    flag: 'memory',
    env: 'RMS_CLOUD_TASKS_INSTANCE_MEM_GB',
    type: 'number',
    min: 0,
    unit: 'GB',
    doc: 'memory of this computer; information for the task',
  },
  localSsdGb: {
    flag: 'local-ssd',
    env: 'RMS_CLOUD_TASKS_INSTANCE_SSD_GB',
    type: 'number',
    min: 0,
    unit: 'GB',
    doc: 'local SSD of this computer; information for the task',
  },
  bootDiskGb: {
    flag: 'boot-disk',
    env: 'RMS_CLOUD_TASKS_INSTANCE_BOOT_DISK_GB',
    type: 'number',
    min: 0,
    unit: 'GB',
    doc: 'boot disk of this computer; information for the task',
  },
  spot: {
    flag: 'is-spot',
    env: 'RMS_CLOUD_TASKS_INSTANCE_IS_SPOT',
    type: 'boolean',
    doc: 'this is a spot VM: watch for the notice that it will be taken away',
  },
  pricePerHour: {
    flag: 'price',
    env: 'RMS_CLOUD_TASKS_INSTANCE_PRICE',
    type: 'number',
    min: 0,
    unit: 'USD/h',
    doc: 'price of this computer; information for the task',
  },
  slotCount: {
    flag: 'num-simultaneous-tasks',
    env: 'RMS_CLOUD_TASKS_NUM_TASKS_PER_INSTANCE',
    type: 'integer',
    min: 1,
    doc: 'tasks that run at once (default: --num-cpus, else 1)',
  },
  useNewProcess: {
    flag: 'use-new-process',
    env: 'RMS_CLOUD_WORKER_USE_NEW_PROCESS',
    type: 'boolean',
    default: false,
    doc: 'a fresh process for every task, so that nothing of one task is left for the next',
  },
  oneShot: {
    flag: 'one-shot',
    env: 'RMS_CLOUD_TASKS_ONE_SHOT',
    type: 'boolean',
    default: false,
    doc: 'the command runs once for each task: JSON on stdin, the result on stdout, exit code 0 = done',
  },
  ownChannel: {
    flag: 'own-channel',
    env: 'RMS_CLOUD_TASKS_OWN_CHANNEL',
    type: 'boolean',
    default: false,
    doc: 'the command reads tasks from descriptor 3 and answers on 4, so that stdout is its own',
  },
  python: {
    flag: 'python',
    env: 'RMS_CLOUD_TASKS_PYTHON',
    type: 'text',
    default: 'python3',
    doc: 'Python that runs a task such as ./worker.py:process_task; 3.8 or newer',
  },
  maxRuntimeSeconds: {
    flag: 'max-runtime',
    env: 'RMS_CLOUD_TASKS_MAX_RUNTIME',
    type: 'number',
    min: 0,
    aboveMin: true,
    unit: 's',
    default: 3600,
    doc: 'a task that runs longer is killed with all its processes',
  },
  maxMemoryPerTaskGb: {
    flag: 'max-memory-allowed-per-task',
    env: 'RMS_CLOUD_TASKS_MAX_MEMORY_ALLOWED_PER_TASK',
    type: 'number',
    min: 0,
    aboveMin: true,
    unit: 'GB',
    doc: 'a task whose processes hold more is killed and not tried again',
  },
  shutdownGraceSeconds: {
    flag: 'shutdown-grace-period',
    env: 'RMS_CLOUD_TASKS_SHUTDOWN_GRACE_PERIOD',
    type: 'number',
    min: 0,
    unit: 's',
    default: 30,
    doc: 'time that running tasks get after SIGINT or SIGTERM',
  },
  tasksToSkip: {
    flag: 'tasks-to-skip',
    env: 'RMS_CLOUD_TASKS_TO_SKIP',
    type: 'integer',
    min: 0,
    default: 0,
    doc: 'leave out this many tasks at the start',
  },
  maxTaskCount: {
    flag: 'max-num-tasks',
    env: 'RMS_CLOUD_TASKS_MAX_NUM_TASKS',
    type: 'integer',
    min: 0,
    doc: 'exit after this many tasks',
  },
  retryOnExit: {
    flag: 'retry-on-exit',
    env: 'RMS_CLOUD_TASKS_RETRY_ON_EXIT',
    type: 'boolean',
    doc: 'try again a task whose process ended without an answer',
  },
  retryOnException: {
    flag: 'retry-on-exception',
    env: 'RMS_CLOUD_TASKS_RETRY_ON_EXCEPTION',
    type: 'boolean',
    doc: 'try again a task that threw',
  },
  retryOnTimeout: {
    flag: 'retry-on-timeout',
    env: 'RMS_CLOUD_TASKS_RETRY_ON_TIMEOUT',
    type: 'boolean',
    doc: 'try again a task that ran longer than --max-runtime',
  },
  maxAttempts: {
    flag: 'max-attempts',
    env: 'RMS_CLOUD_TASKS_MAX_ATTEMPTS',
    type: 'integer',
    min: 1,
    default: 10,
    doc: 'failed attempts before a task goes to the dead-letter queue',
  },
  maxPreemptions: {
    flag: 'max-preemptions',
    env: 'RMS_CLOUD_TASKS_MAX_PREEMPTIONS',
    type: 'integer',
    min: 0,
    doc: 'interrupted attempts before a task goes to the dead-letter queue (default: no limit)',
  },
  idleShutdownSeconds: {
    flag: 'idle-shutdown',
    env: 'RMS_CLOUD_TASKS_IDLE_SHUTDOWN',
    type: 'number',
    min: 0,
    aboveMin: true,
    unit: 's',
    doc: 'when the queue has been empty for so long, exit and power this VM off',
  },
  maxInstanceLifetimeSeconds: {
    flag: 'max-instance-lifetime',
    env: 'RMS_CLOUD_TASKS_MAX_INSTANCE_LIFETIME',
    type: 'number',
    min: 0,
    aboveMin: true,
    unit: 's',
    doc: 'after so long, shut down and power this VM off, whatever is left to do',
  },
  simulateNoticeAfterSeconds: {
    flag: 'simulate-spot-termination-after',
    env: 'RMS_CLOUD_TASKS_SIMULATE_SPOT_TERMINATION_AFTER',
    type: 'number',
    min: 0,
    unit: 's',
    doc: 'act as if the notice of a spot VM came after so long',
  },
  simulateNoticeDelaySeconds: {
    flag: 'simulate-spot-termination-delay',
    env: 'RMS_CLOUD_TASKS_SIMULATE_SPOT_TERMINATION_DELAY',
    type: 'number',
    min: 0,
    unit: 's',
    doc: 'and as if the VM vanished so long after the notice',
  },
} as const satisfies Readonly<Record<string, Setting>>

type Table = typeof AGENT_SETTINGS
type Name = keyof Table
type TypeOf<S extends Setting> = S['type'] extends 'text' ? string : S['type'] extends 'boolean' ? boolean : number

/** undefined = nobody set it and it has no default. */
export type AgentSettings = {
  readonly [K in Name]: TypeOf<Table[K]> | (Table[K] extends { default: string | number | boolean } ? never : undefined)
}

export type SettingEntry = readonly [name: string, setting: Setting]

export const SETTING_ENTRIES: readonly SettingEntry[] = Object.entries(AGENT_SETTINGS)
