// Every key of the job file, once: its type, unit, bounds and meaning. The schema, the command line and the docs come from here.
import type { KeyTable, ValuesOf } from './key-spec.ts'

export type { KeySpec } from './key-spec.ts'

export const PROVIDER_CHOICES = ['local', 'aws', 'gcp', 'azure', 'LOCAL', 'AWS', 'GCP', 'AZURE'] as const
export const SECTIONS = ['local', 'aws', 'gcp', 'azure'] as const
export type Section = (typeof SECTIONS)[number]

const JOB_NAME = { pattern: /^[a-z][-a-z0-9]{0,23}$/, form: '1–24 of a-z, 0-9 and -, beginning with a letter' }

/** Keys of `run:`. Each may also stand in a provider's section, where it wins over `run:`. */
export const RUN_KEYS = {
  // how many VMs
  min_instances: { type: 'int', least: 0, group: 'pool', default: '0', doc: 'fewest VMs worth starting' },
  max_instances: { type: 'int', above: 0, group: 'pool', default: '10', doc: 'most VMs at once' },
  min_total_cpus: { type: 'int', least: 0, unit: 'vCPU', group: 'pool', doc: 'fewest vCPUs worth starting, all VMs' },
  max_total_cpus: { type: 'int', above: 0, unit: 'vCPU', group: 'pool', doc: 'most vCPUs at once, all VMs' },
  cpus_per_task: { type: 'float', above: 0, unit: 'vCPU', group: 'pool', default: '1', doc: 'what one task needs' },
  min_tasks_per_instance: { type: 'int', above: 0, group: 'pool', doc: 'fewest tasks at once on one VM' },
  max_tasks_per_instance: { type: 'int', above: 0, group: 'pool', doc: 'most tasks at once on one VM' },
  min_simultaneous_tasks: { type: 'int', above: 0, group: 'pool', doc: 'fewest tasks at once worth starting, all VMs' },
  max_simultaneous_tasks: { type: 'int', above: 0, group: 'pool', doc: 'most tasks at once, all VMs' },
  min_total_price_per_hour: {
    type: 'float',
    least: 0,
    unit: 'USD/h',
    group: 'pool',
    doc: 'smallest pool worth starting',
  },
  max_total_price_per_hour: {
    type: 'float',
    above: 0,
    unit: 'USD/h',
    group: 'pool',
    default: '10',
    doc: 'never start VMs above this rate',
  },
  max_total_cost: { type: 'float', above: 0, unit: 'USD', group: 'pool', doc: 'end all VMs before the job costs more' },
  use_spot: { type: 'bool', group: 'instance', default: 'false; true for local', doc: 'spot VMs instead of on demand' },
  on_demand_fallback: {
    type: 'fallback',
    group: 'pool',
    default: 'never',
    doc: 'on-demand VMs `after_preemptions: n`, or `after_wait: seconds` without spot capacity',
  },

  // which VMs
  architecture: {
    type: 'choice',
    choices: ['x86_64', 'arm64', 'X86_64', 'ARM64'],
    group: 'instance',
    default: 'X86_64; any for local',
    doc: 'processor architecture',
  },
  cpu_family: { type: 'text', group: 'instance', doc: 'processor family, e.g. "Ice Lake"' },
  min_cpu_rank: { type: 'int', least: 0, group: 'instance', doc: 'slowest processor rank (0–27)' },
  max_cpu_rank: { type: 'int', least: 0, group: 'instance', doc: 'fastest processor rank (0–27)' },
  min_cpu: { type: 'int', least: 0, unit: 'vCPU', group: 'instance', doc: 'fewest vCPUs of one VM' },
  max_cpu: { type: 'int', above: 0, unit: 'vCPU', group: 'instance', doc: 'most vCPUs of one VM' },
  min_total_memory: { type: 'float', least: 0, unit: 'GB', group: 'instance', doc: 'least memory of one VM' },
  max_total_memory: { type: 'float', above: 0, unit: 'GB', group: 'instance', doc: 'most memory of one VM' },
  min_memory_per_cpu: { type: 'float', least: 0, unit: 'GB', group: 'instance', doc: 'least memory per vCPU' },
  max_memory_per_cpu: { type: 'float', above: 0, unit: 'GB', group: 'instance', doc: 'most memory per vCPU' },
  min_memory_per_task: { type: 'float', least: 0, unit: 'GB', group: 'instance', doc: 'least memory per task' },
  max_memory_per_task: { type: 'float', above: 0, unit: 'GB', group: 'instance', doc: 'most memory per task' },
  min_local_ssd: { type: 'float', least: 0, unit: 'GB', group: 'instance', doc: 'least local SSD of one VM' },
  max_local_ssd: { type: 'float', above: 0, unit: 'GB', group: 'instance', doc: 'most local SSD of one VM' },
  local_ssd_base_size: {
    type: 'float',
    least: 0,
    unit: 'GB',
    group: 'instance',
    default: '0',
    doc: 'local SSD that no task may count on',
  },
  min_local_ssd_per_cpu: { type: 'float', least: 0, unit: 'GB', group: 'instance', doc: 'least local SSD per vCPU' },
  max_local_ssd_per_cpu: { type: 'float', above: 0, unit: 'GB', group: 'instance', doc: 'most local SSD per vCPU' },
  min_local_ssd_per_task: { type: 'float', least: 0, unit: 'GB', group: 'instance', doc: 'least local SSD per task' },
  max_local_ssd_per_task: { type: 'float', above: 0, unit: 'GB', group: 'instance', doc: 'most local SSD per task' },
  boot_disk_types: { type: 'list', group: 'instance', doc: 'kinds of boot disk that may be used' },
  boot_disk_iops: { type: 'int', above: 0, unit: 'IOPS', group: 'instance', doc: 'of provisioned boot disks' },
  boot_disk_throughput: { type: 'int', above: 0, unit: 'MB/s', group: 'instance', doc: 'of provisioned boot disks' },
  total_boot_disk_size: {
    type: 'float',
    above: 0,
    unit: 'GB',
    group: 'instance',
    default: '10',
    doc: 'smallest boot disk',
  },
  boot_disk_base_size: {
    type: 'float',
    least: 0,
    unit: 'GB',
    group: 'instance',
    default: '0',
    doc: 'boot disk before tasks',
  },
  boot_disk_per_cpu: { type: 'float', least: 0, unit: 'GB', group: 'instance', doc: 'boot disk per vCPU' },
  boot_disk_per_task: { type: 'float', least: 0, unit: 'GB', group: 'instance', doc: 'boot disk per task' },
  instance_types: {
    type: 'list',
    group: 'instance',
    doc: 'regular expressions, matched from the start of the type name',
  },

  // what a VM does
  task: { type: 'text', group: 'pool', doc: 'what the agent runs, e.g. ./task.ts or -- command args' },
  bundle: { type: 'text', group: 'pool', doc: 'folder that VMs get, and in which tasks run' },
  startup_script: { type: 'text', group: 'pool', doc: 'bash script that VMs boot with, inline' },
  startup_script_file: { type: 'text', group: 'pool', doc: 'bash script that VMs boot with, as a file' },
  image: { type: 'text', group: 'pool', doc: 'what VMs boot from' },
  max_instance_lifetime: { type: 'int', above: 0, unit: 's', group: 'pool', doc: 'a VM ends itself after this long' },
  idle_shutdown: {
    type: 'int',
    least: 0,
    unit: 's',
    group: 'pool',
    default: '300',
    doc: 'a VM ends itself when the queue was empty this long; 0 = at once',
  },

  // tasks
  max_runtime: {
    type: 'int',
    above: 0,
    unit: 's',
    group: 'pool',
    default: '3600',
    doc: 'a task is killed after this long',
  },
  max_memory_allowed_per_task: {
    type: 'float',
    above: 0,
    unit: 'GB',
    group: 'pool',
    doc: 'a task is killed above this',
  },
  retry_on_exit: { type: 'bool', group: 'pool', doc: 'run a task again that exited without a result' },
  retry_on_exception: { type: 'bool', group: 'pool', doc: 'run a task again that raised an exception' },
  retry_on_timeout: { type: 'bool', group: 'pool', doc: 'run a task again that exceeded max_runtime' },
  max_attempts: { type: 'int', above: 0, group: 'pool', default: '10', doc: 'failed attempts before a task is failed' },
  max_preemptions: { type: 'int', least: 0, group: 'pool', doc: 'interrupted attempts before a task is failed' },
  lease_seconds: {
    type: 'int',
    above: 0,
    unit: 's',
    group: 'pool',
    default: '60',
    doc: 'tasks of a VM that vanished are given to others after this long',
  },
  priorities: {
    type: 'bool',
    group: 'pool',
    default: 'false',
    doc: 'queues for high, normal and low, on clouds without priorities',
  },

  // watching
  scaling_check_interval: {
    type: 'int',
    above: 0,
    unit: 's',
    group: 'pool',
    default: '60',
    doc: 'between two looks at the VMs',
  },
  instance_termination_delay: {
    type: 'int',
    above: 0,
    unit: 's',
    group: 'pool',
    default: '60',
    doc: 'kept for compatibility',
  },
  keepalive_interval: { type: 'int', above: 0, unit: 's', group: 'pool', doc: 'between two signs of life of an agent' },
  keepalive_startup_timeout: {
    type: 'int',
    least: 0,
    unit: 's',
    group: 'pool',
    default: '600',
    doc: 'replace a VM never heard of after this long; 0 = never',
  },
  keepalive_timeout: {
    type: 'int',
    least: 0,
    unit: 's',
    group: 'pool',
    default: '300',
    doc: 'replace a VM silent for this long; 0 = never',
  },
  db_file: { type: 'text', default: '<job_id>.db', doc: 'SQLite file of the job' },
} as const satisfies KeyTable

/** Keys of every provider's section, besides those of `run:`. */
const SECTION_KEYS = {
  job_id: { type: 'text', ...JOB_NAME, doc: 'name of the job: names its queue, VMs and database' },
  queue_name: { type: 'text', ...JOB_NAME, default: 'the job id', doc: 'name of the task queue' },
  region: { type: 'text', doc: 'where VMs and queues are' },
  zone: { type: 'text', doc: 'only this zone of the region' },
  exactly_once_queue: { type: 'bool', doc: 'exactly-once delivery, where the cloud has it' },
} as const satisfies KeyTable

const LOCAL_KEYS = {
  root: { type: 'text', default: '.cloud-tasks', doc: 'folder of the queues and VMs' },
  vcpus_per_vm: { type: 'int', above: 0, doc: 'size of a VM' },
  memory_gb_per_vm: { type: 'float', above: 0, unit: 'GB', doc: 'memory of a VM' },
  price_per_hour: { type: 'float', least: 0, unit: 'USD/h', doc: 'pretended price of a VM' },
  boot_seconds: { type: 'float', least: 0, unit: 's', doc: 'pretended boot time' },
  preemptions_per_hour: { type: 'float', least: 0, doc: 'expected preemptions per spot VM and hour' },
  notice_seconds: { type: 'float', least: 0, unit: 's', doc: 'between the notice of a preemption and the kill' },
  capacity: { type: 'int', least: 0, doc: 'VMs that can run at once; more fail for lack of capacity' },
  seed: { type: 'int', doc: 'of the random numbers' },
} as const satisfies KeyTable

const AWS_KEYS = {
  access_key: { type: 'text', secret: true, doc: 'instead of the ambient credentials' },
  secret_key: { type: 'text', secret: true, doc: 'instead of the ambient credentials' },
} as const satisfies KeyTable

const GCP_KEYS = {
  project_id: { type: 'text', doc: 'project' },
  credentials_file: { type: 'text', doc: 'service account key file, instead of the ambient credentials' },
  service_account: { type: 'text', doc: 'e-mail of the service account that VMs run as' },
} as const satisfies KeyTable

const AZURE_KEYS = {
  subscription_id: { type: 'text', doc: 'subscription' },
  tenant_id: { type: 'text', doc: 'tenant' },
  client_id: { type: 'text', doc: 'application' },
  client_secret: { type: 'text', secret: true, doc: 'secret of the application' },
  namespace_name: { type: 'text', doc: 'Service Bus namespace' },
  connection_string: { type: 'text', secret: true, doc: 'of the Service Bus namespace' },
} as const satisfies KeyTable

/** Keys that only provider sections have, by section. */
export const PROVIDER_KEYS = {
  local: { ...SECTION_KEYS, ...LOCAL_KEYS },
  aws: { ...SECTION_KEYS, ...AWS_KEYS },
  gcp: { ...SECTION_KEYS, ...GCP_KEYS },
  azure: { ...SECTION_KEYS, ...AZURE_KEYS },
} as const satisfies Readonly<Record<Section, KeyTable>>

/** Every provider key by name; equal names mean the same in every section. */
export const ALL_PROVIDER_KEYS = { ...SECTION_KEYS, ...LOCAL_KEYS, ...AWS_KEYS, ...GCP_KEYS, ...AZURE_KEYS } as const

export type RunValues = ValuesOf<typeof RUN_KEYS>
export type SectionValues = RunValues & ValuesOf<typeof ALL_PROVIDER_KEYS>
export type ConfigKey = keyof SectionValues
