// What a job's VMs are brought besides their script, and the part of the script that brings it. The same for every cloud.
import { UserError } from '../../core/errors.ts'
import type { JobConfig } from '../../core/job-config.ts'
import { type Delivery, publicNode, renderAgentBoot } from './agent-boot.ts'

export interface JobDeliveries {
  /** Where the agent is, unless the job file says. */
  readonly agent?: Delivery | undefined
  readonly bundle?: Delivery | undefined
}

/** Throws a UserError if nothing can bring the agent. */
export function renderJobAgentBoot(config: JobConfig, task: string, { agent, bundle }: JobDeliveries): string {
  const { section, machine, provider } = config
  return renderAgentBoot({
    task,
    bundle,
    node:
      section.node_url === undefined
        ? publicNode(machine.architecture ?? 'X86_64')
        : { url: section.node_url, sha512: section.node_sha512 },
    agent: ownAgent(config) ?? agent ?? noAgent(provider),
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

function noAgent(provider: string): never {
  throw new UserError(
    `VMs have nowhere to fetch the agent from: set bucket under ${provider}: in the job file (or agent_url and agent_sha512, or a startup_script of your own).`,
  )
}
