// The startup script of a job's VMs, complete but for what each VM finds out itself as it boots.
import type { JobConfig } from '../../core/job-config.ts'
import { type JobDeliveries, renderJobAgentBoot } from '../delivery/job-delivery.ts'
import { renderJobScript } from '../job-script.ts'
import { GCP_BOOT_FACTS } from './boot-facts.ts'
import { GCP_BOOT_TOOLS } from './boot-tools.ts'

export interface BootScriptInputs extends JobDeliveries {
  readonly config: JobConfig
  readonly jobId: string
  readonly queueName: string
  readonly projectId: string
  readonly region: string
}

/** Throws a UserError if the job says neither what to run nor how to boot, or if nothing can bring the agent. */
export function renderGcpBootScript(inputs: BootScriptInputs): string {
  const { config, jobId, queueName, projectId, region, ...deliveries } = inputs
  return renderJobScript({
    config: { ...config, region, section: { ...config.section, project_id: projectId } },
    jobId,
    queueName,
    vm: { kind: 'at boot', script: `${GCP_BOOT_TOOLS}\n${GCP_BOOT_FACTS}` },
    extra: { GOOGLE_CLOUD_PROJECT: projectId },
    agentScript: task => renderJobAgentBoot(config, task, deliveries),
  })
}
