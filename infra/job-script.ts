// The script that the VMs of a job boot with: the user's own, or the one that brings the agent and starts it on the job's task.
import { UserError } from '../core/errors.ts'
import type { JobConfig } from '../core/job-config.ts'
import { type FactsAtBoot, renderStartupScript, type VmFacts } from './startup-script.ts'

export interface JobScriptInputs {
  readonly config: JobConfig
  readonly jobId: string
  readonly queueName: string
  readonly vm: VmFacts | FactsAtBoot
  /** More variables for the VM, e.g. where its cloud is. Those of the job file win. */
  readonly extra: Readonly<Record<string, string>>
  /** What boots the VM when the job names a task and no script. Throws a UserError if the cloud cannot bring the agent. */
  readonly agentScript: (task: string) => string
}

/** Throws a UserError if the job says neither what to run nor how to boot. */
export function renderJobScript({ config, jobId, queueName, vm, extra, agentScript }: JobScriptInputs): string {
  const { tasks, boot, watch } = config
  return renderStartupScript({
    userScript: boot.startupScript ?? agentScript(taskOf(config)),
    environment: {
      provider: config.provider,
      projectId: config.section.project_id,
      jobId,
      queueName,
      vm,
      maxRuntimeSeconds: tasks.maxRuntimeSeconds,
      retryOnExit: tasks.retryOnExit,
      retryOnException: tasks.retryOnException,
      retryOnTimeout: tasks.retryOnTimeout,
      keepaliveIntervalSeconds: watch.keepaliveSeconds,
      maxMemoryPerTaskGib: tasks.maxMemoryPerTaskGib,
      exactlyOnceQueue: config.exactlyOnceQueue,
      leaseSeconds: tasks.leaseSeconds,
      maxAttempts: tasks.maxAttempts,
      maxPreemptions: tasks.maxPreemptions,
      idleShutdownSeconds: boot.idleShutdownSeconds,
      maxInstanceLifetimeSeconds: boot.maxVmLifetimeSeconds,
      region: config.region,
      bucket: config.section.bucket,
      extra: { ...extra, ...boot.environment },
      secrets: boot.secrets,
    },
  })
}

function taskOf({ boot }: JobConfig): string {
  if (boot.task !== undefined) return boot.task
  throw new UserError(
    'The job says nothing of what to run: set task (e.g. ./task.ts) or startup_script_file under run: in the job file.',
  )
}
