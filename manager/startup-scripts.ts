// The startup script of each choice: the user's own, or the one that starts the agent on the job's task.
import { UserError } from '../core/errors.ts'
import type { JobConfig } from '../core/job-config.ts'
import { renderStartupScript } from '../infra/startup-script.ts'
import type { Choice } from './select-offers.ts'

export interface StartupScriptInputs {
  readonly config: JobConfig
  readonly jobId: string
  readonly queueName: string
  /** More variables for the VM, e.g. where its cloud is. */
  readonly extra: Readonly<Record<string, string>>
  /** Money is reserved for this long a life, from launch to the end of the bill. */
  readonly paidSeconds?: number | undefined
}

/** Throws a UserError if the job says neither what to run nor how to boot. */
export function startupScriptFor({ offer, spot, ...choice }: Choice, inputs: StartupScriptInputs): string {
  const { config, jobId, queueName, extra, paidSeconds } = inputs
  const { tasks, boot, watch } = config
  return renderStartupScript({
    userScript: boot.startupScript ?? agentScript(config),
    environment: {
      provider: config.provider,
      projectId: config.section.project_id,
      jobId,
      queueName,
      instanceType: offer.instanceType,
      vcpuCount: offer.vcpuCount,
      memoryGib: offer.memoryGib,
      localSsdGib: offer.localSsdGib,
      bootDiskGib: choice.bootDiskGib,
      spot,
      priceUsdPerHour: offer.priceUsdPerHour,
      tasksPerInstance: choice.tasksPerVm,
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
      maxInstanceLifetimeSeconds: lifetimeSeconds(boot.maxVmLifetimeSeconds, paidSeconds),
      region: config.region,
      extra,
    },
  })
}

const BOOT_AND_END_SECONDS = 120 // before the agent counts its lifetime, and from its end to that of the bill

function lifetimeSeconds(wanted: number | undefined, paidSeconds: number | undefined): number | undefined {
  if (paidSeconds === undefined) return wanted
  const paid = Math.max(1, Math.floor(Math.max(paidSeconds / 2, paidSeconds - BOOT_AND_END_SECONDS)))
  return Math.min(wanted ?? paid, paid)
}

function agentScript({ boot, provider }: JobConfig): string {
  if (boot.task === undefined) {
    throw new UserError(
      'The job says nothing of what to run: set task (e.g. ./task.ts) or startup_script_file under run: in the job file.',
    )
  }
  // On a cloud the bundle is unpacked where the script starts; on this machine it is simply there.
  const folder = provider === 'local' ? `cd '${boot.folder.replaceAll("'", String.raw`'\''`)}' || exit\n` : ''
  return `#!/bin/bash\n${folder}exec cloud-tasks-agent ${boot.task}`
}
