// The user data of a job's VMs: the startup script, complete but for what each VM finds out itself as it boots.
import type { JobConfig } from '../../core/job-config.ts'
import { type JobDeliveries, renderJobAgentBoot } from '../delivery/job-delivery.ts'
import { renderJobScript } from '../job-script.ts'
import { AWS_BOOT_FACTS } from './boot-facts.ts'
import { AWS_BOOT_TOOLS } from './boot-tools.ts'

export interface BootScriptInputs extends JobDeliveries {
  readonly config: JobConfig
  readonly jobId: string
  readonly queueName: string
  readonly region: string
}

/** Throws a UserError if the job says neither what to run nor how to boot, or if nothing can bring the agent. */
export function renderAwsBootScript({ config, jobId, queueName, region, ...deliveries }: BootScriptInputs): string {
  return renderJobScript({
    config: { ...config, region },
    jobId,
    queueName,
    vm: { kind: 'at boot', script: `${AWS_BOOT_TOOLS}\n${AWS_BOOT_FACTS}` },
    extra: { AWS_REGION: region },
    agentScript: task => renderJobAgentBoot(config, task, deliveries),
  })
}
