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
  /** The VM's bill must end before this instant: more money is not reserved for it. */
  readonly paidUntil?: Date | undefined
}

/** Throws a UserError if the job says neither what to run nor how to boot. */
export function startupScriptFor({ offer, spot, ...choice }: Choice, inputs: StartupScriptInputs): string {
  const { config, jobId, queueName, extra, paidUntil } = inputs
  const { tasks, boot, watch } = config
  return renderStartupScript({
    userScript: withDeadline(boot.startupScript ?? agentScript(config), paidUntil, boot.maxVmLifetimeSeconds),
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
      maxInstanceLifetimeSeconds: boot.maxVmLifetimeSeconds,
      region: config.region,
      extra,
    },
  })
}

/** The VM itself finds out how much of its time is left when it has booted. */
function withDeadline(script: string, paidUntil: Date | undefined, mostSeconds: number | undefined): string {
  if (paidUntil === undefined) return script
  const most = mostSeconds ?? 'left'
  const lines = [
    `left=$(( ${Math.floor(paidUntil.getTime() / 1000)} - $(date +%s) ))`,
    `export RMS_CLOUD_TASKS_MAX_INSTANCE_LIFETIME=$(( left < 1 ? 1 : left < ${most} ? left : ${most} ))`,
  ].join('\n')
  const [first = ''] = script.split('\n', 1)
  return first.startsWith('#!') ? `${first}\n${lines}${script.slice(first.length)}` : `${lines}\n${script}`
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
