// The user data of a job's VMs: the startup script, complete but for what each VM finds out itself as it boots.
import { UserError } from '../../core/errors.ts'
import type { JobConfig } from '../../core/job-config.ts'
import { type Delivery, publicNode, renderAgentBoot } from '../delivery/agent-boot.ts'
import { renderJobScript } from '../job-script.ts'
import { AWS_BOOT_FACTS } from './boot-facts.ts'
import { AWS_BOOT_TOOLS } from './boot-tools.ts'

export interface BootScriptInputs {
  readonly config: JobConfig
  readonly jobId: string
  readonly queueName: string
  readonly region: string
  /** Where the agent is, unless the job file says. */
  readonly agent?: Delivery | undefined
  readonly bundle?: Delivery | undefined
}

/** Throws a UserError if the job says neither what to run nor how to boot, or if nothing can bring the agent. */
export function renderAwsBootScript({ config, jobId, queueName, region, agent, bundle }: BootScriptInputs): string {
  const { section } = config
  return renderJobScript({
    config: { ...config, region },
    jobId,
    queueName,
    vm: { kind: 'at boot', script: `${AWS_BOOT_TOOLS}\n${AWS_BOOT_FACTS}` },
    extra: { AWS_REGION: region },
    agentScript: task =>
      renderAgentBoot({
        task,
        bundle,
        node:
          section.node_url === undefined
            ? publicNode(config.machine.architecture ?? 'X86_64')
            : { url: section.node_url, sha512: section.node_sha512 },
        agent: ownAgent(config) ?? agent ?? noAgent(),
      }),
  })
}

/** Whether VMs are brought something that has to be put where they can fetch it. */
export function deliveriesOf(config: JobConfig): { readonly agent: boolean; readonly bundle: boolean } {
  const own = config.boot.startupScript !== undefined
  return { agent: !own && ownAgent(config) === undefined, bundle: !own && config.boot.bundle !== undefined }
}

function ownAgent({ section }: JobConfig): Delivery | undefined {
  if (section.agent_url === undefined) return undefined
  if (section.agent_sha512 === undefined) {
    throw new UserError('agent_url is given without agent_sha512: VMs run nothing that they cannot check.')
  }
  return { url: section.agent_url, sha512: section.agent_sha512 }
}

function noAgent(): never {
  throw new UserError(
    'VMs have nowhere to fetch the agent from: set bucket under aws: in the job file (or agent_url and agent_sha512, or a startup_script of your own).',
  )
}
