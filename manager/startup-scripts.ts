// The startup script of each choice, on clouds that boot every VM with a script of its own.
import type { JobConfig } from '../core/job-config.ts'
import { renderJobScript } from '../infra/job-script.ts'
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
  return renderJobScript({
    config,
    jobId,
    queueName,
    extra,
    vm: {
      kind: 'known',
      instanceType: offer.instanceType,
      vcpuCount: offer.vcpuCount,
      memoryGib: offer.memoryGib,
      localSsdGib: offer.localSsdGib,
      bootDiskGib: choice.bootDiskGib,
      spot,
      priceUsdPerHour: offer.priceUsdPerHour,
      tasksPerInstance: choice.tasksPerVm,
      paidUntil,
    },
    agentScript: task => agentScript(task, config.boot.folder),
  })
}

/** On this machine the agent and the task's folder are simply there. */
function agentScript(task: string, folder: string): string {
  return `#!/bin/bash\ncd '${folder.replaceAll("'", String.raw`'\''`)}' || exit\nexec cloud-tasks-agent ${task}`
}
