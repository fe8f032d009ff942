// The effective configuration of a job: merged, defaulted and checked. Every program after the command line sees only this.
import type { RunValues, Section, SectionValues } from './config-keys.ts'

export interface JobConfig {
  readonly provider: Section
  readonly jobId: string | undefined
  readonly queueName: string | undefined
  readonly dbFile: string | undefined
  readonly exactlyOnceQueue: boolean
  readonly region: string | undefined
  readonly zone: string | undefined
  readonly pool: PoolLimits
  readonly machine: MachineNeeds
  readonly bootDisk: BootDiskNeeds
  readonly tasks: TaskRules
  readonly boot: Boot
  readonly watch: Watch
  readonly notify: Notify
  /** What only some clouds read: credentials, and the `local:` section. */
  readonly section: SectionValues
}

/** How many VMs. undefined = no limit. */
export interface PoolLimits {
  readonly minInstances: number
  readonly maxInstances: number
  readonly minTotalCpus: number | undefined
  readonly maxTotalCpus: number | undefined
  readonly minSimultaneousTasks: number | undefined
  readonly maxSimultaneousTasks: number | undefined
  readonly minTotalUsdPerHour: number | undefined
  readonly maxTotalUsdPerHour: number
  readonly maxTotalCostUsd: number | undefined
  readonly spot: boolean
  readonly onDemandFallback: 'never' | { readonly afterPreemptions: number } | { readonly afterWaitSeconds: number }
}

/** Which VMs. Bounds are inclusive, undefined = any. Memory and disks in GB as the clouds count them (2³⁰ bytes). */
export interface MachineNeeds {
  readonly instanceTypes: readonly string[] | undefined
  readonly architecture: 'X86_64' | 'ARM64' | undefined
  readonly cpuFamily: string | undefined
  readonly cpuRank: Bounds
  readonly vcpuCount: Bounds
  readonly memoryGib: Bounds
  readonly memoryGibPerCpu: Bounds
  readonly memoryGibPerTask: Bounds
  readonly localSsdGib: Bounds
  readonly localSsdBaseGib: number
  readonly localSsdGibPerCpu: Bounds
  readonly localSsdGibPerTask: Bounds
}

export interface Bounds {
  readonly min: number | undefined
  readonly max: number | undefined
}

export interface BootDiskNeeds {
  readonly types: readonly string[] | undefined
  readonly iops: number | undefined
  readonly throughputMibPerSecond: number | undefined
  readonly totalGib: number
  readonly baseGib: number
  readonly gibPerCpu: number
  readonly gibPerTask: number
}

export interface TaskRules {
  readonly cpusPerTask: number
  readonly minTasksPerVm: number | undefined
  readonly maxTasksPerVm: number | undefined
  readonly maxRuntimeSeconds: number
  readonly maxMemoryPerTaskGib: number | undefined
  readonly retryOnExit: boolean | undefined
  readonly retryOnException: boolean | undefined
  readonly retryOnTimeout: boolean | undefined
  readonly maxAttempts: number
  readonly maxPreemptions: number | undefined
  readonly leaseSeconds: number
  readonly priorities: boolean
}

export interface Boot {
  /** Text of the script that VMs boot with; wins over `task`. */
  readonly startupScript: string | undefined
  /** What the agent runs. */
  readonly task: string | undefined
  /** Absolute folder in which `task` runs: the bundle, or where the setting was written. */
  readonly folder: string
  /** Absolute folder whose content VMs get. */
  readonly bundle: string | undefined
  readonly environment: Readonly<Record<string, string>>
  /** Variable → address in the cloud's secret store. */
  readonly secrets: Readonly<Record<string, string>>
  readonly image: string | undefined
  readonly idleShutdownSeconds: number
  readonly maxVmLifetimeSeconds: number | undefined
}

export interface Watch {
  readonly scalingCheckSeconds: number
  /** undefined = the agent's own default. */
  readonly keepaliveSeconds: number | undefined
  /** 0 = never. */
  readonly startupTimeoutSeconds: number
  /** 0 = never. */
  readonly silenceTimeoutSeconds: number
}

/** Whom to tell how the job ended: shell commands or web addresses, which may be secret. */
export interface Notify {
  readonly onFinish: string | undefined
  readonly onFailure: string | undefined
  readonly onBudget: string | undefined
}

/** Merged values with every default filled in. */
export type EffectiveValues = SectionValues & Required<Pick<SectionValues, keyof typeof DEFAULTS>>

export const DEFAULTS = {
  min_instances: 0,
  max_instances: 10,
  cpus_per_task: 1,
  max_total_price_per_hour: 10,
  on_demand_fallback: 'never',
  local_ssd_base_size: 0,
  total_boot_disk_size: 10,
  boot_disk_base_size: 0,
  idle_shutdown: 300,
  max_runtime: 3600,
  max_attempts: 10,
  lease_seconds: 60,
  priorities: false,
  scaling_check_interval: 60,
  instance_termination_delay: 60,
  keepalive_startup_timeout: 600,
  keepalive_timeout: 300,
} as const satisfies RunValues

export interface JobConfigParts {
  readonly provider: Section
  readonly values: EffectiveValues
  readonly startupScript: string | undefined
  readonly folder: string
}

export function jobConfigOf({ provider, values, startupScript, folder }: JobConfigParts): JobConfig {
  const v = values
  return {
    provider,
    jobId: v.job_id,
    queueName: v.queue_name ?? v.job_id,
    dbFile: v.db_file ?? (v.job_id === undefined ? undefined : `${v.job_id}.db`),
    exactlyOnceQueue: v.exactly_once_queue ?? false,
    region: v.region,
    zone: v.zone,
    pool: {
      minInstances: v.min_instances,
      maxInstances: v.max_instances,
      minTotalCpus: v.min_total_cpus,
      maxTotalCpus: v.max_total_cpus,
      minSimultaneousTasks: v.min_simultaneous_tasks,
      maxSimultaneousTasks: v.max_simultaneous_tasks,
      minTotalUsdPerHour: v.min_total_price_per_hour,
      maxTotalUsdPerHour: v.max_total_price_per_hour,
      maxTotalCostUsd: v.max_total_cost,
      spot: v.use_spot ?? provider === 'local',
      onDemandFallback: fallbackOf(v),
    },
    machine: {
      instanceTypes: listOf(v.instance_types),
      architecture: architectureOf(v.architecture, provider),
      cpuFamily: v.cpu_family,
      cpuRank: { min: v.min_cpu_rank, max: v.max_cpu_rank },
      vcpuCount: { min: v.min_cpu, max: v.max_cpu },
      memoryGib: { min: v.min_total_memory, max: v.max_total_memory },
      memoryGibPerCpu: { min: v.min_memory_per_cpu, max: v.max_memory_per_cpu },
      memoryGibPerTask: { min: v.min_memory_per_task, max: v.max_memory_per_task },
      localSsdGib: { min: v.min_local_ssd, max: v.max_local_ssd },
      localSsdBaseGib: v.local_ssd_base_size,
      localSsdGibPerCpu: { min: v.min_local_ssd_per_cpu, max: v.max_local_ssd_per_cpu },
      localSsdGibPerTask: { min: v.min_local_ssd_per_task, max: v.max_local_ssd_per_task },
    },
    bootDisk: {
      types: listOf(v.boot_disk_types)?.map(type => type.toLowerCase()),
      iops: v.boot_disk_iops,
      throughputMibPerSecond: v.boot_disk_throughput,
      totalGib: v.total_boot_disk_size,
      baseGib: v.boot_disk_base_size,
      gibPerCpu: v.boot_disk_per_cpu ?? 0,
      gibPerTask: v.boot_disk_per_task ?? 0,
    },
    tasks: {
      cpusPerTask: v.cpus_per_task,
      minTasksPerVm: v.min_tasks_per_instance,
      maxTasksPerVm: v.max_tasks_per_instance,
      maxRuntimeSeconds: v.max_runtime,
      maxMemoryPerTaskGib: v.max_memory_allowed_per_task,
      retryOnExit: v.retry_on_exit,
      retryOnException: v.retry_on_exception,
      retryOnTimeout: v.retry_on_timeout,
      maxAttempts: v.max_attempts,
      maxPreemptions: v.max_preemptions,
      leaseSeconds: v.lease_seconds,
      priorities: v.priorities,
    },
    boot: {
      startupScript,
      task: v.task,
      folder,
      bundle: v.bundle === undefined ? undefined : folder,
      environment: v.environment ?? {},
      secrets: v.secrets ?? {},
      image: v.image,
      idleShutdownSeconds: v.idle_shutdown,
      maxVmLifetimeSeconds: v.max_instance_lifetime,
    },
    watch: {
      scalingCheckSeconds: v.scaling_check_interval,
      keepaliveSeconds: v.keepalive_interval,
      startupTimeoutSeconds: v.keepalive_startup_timeout,
      silenceTimeoutSeconds: v.keepalive_timeout,
    },
    notify: { onFinish: v.on_finish, onFailure: v.on_failure, onBudget: v.on_budget },
    section: v,
  }
}

function listOf(value: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof value === 'string' ? [value] : value
}

function architectureOf(value: string | undefined, provider: Section): 'X86_64' | 'ARM64' | undefined {
  if (value === undefined) return provider === 'local' ? undefined : 'X86_64'
  return value.toUpperCase() === 'ARM64' ? 'ARM64' : 'X86_64'
}

function fallbackOf({ on_demand_fallback: value }: EffectiveValues): PoolLimits['onDemandFallback'] {
  if (typeof value === 'string') return value
  return 'after_wait' in value ? { afterWaitSeconds: value.after_wait } : { afterPreemptions: value.after_preemptions }
}
