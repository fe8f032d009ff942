// Where the resources of a job's stack belong: the component that holds them, project, region, and how they are named.
import { config as gcpConfig } from '@pulumi/gcp'
import type { Resource } from '@pulumi/pulumi'
import { UserError } from '../../../core/errors.ts'
import type { JobConfig } from '../../../core/job-config.ts'
import { regionOfZone } from '../pool-request.ts'

export interface Place {
  readonly jobId: string
  readonly project: string
  readonly region: string
  /** The component. */
  readonly parent: Resource
}

/** Throws a UserError where neither the job nor the Pulumi stack says. */
export function placeOf(jobId: string, { section, region, zone }: JobConfig): Omit<Place, 'parent'> {
  if (jobId.endsWith('-')) {
    throw new UserError(`job_id "${jobId}" ends with a hyphen, which no name on Google's cloud can: choose another.`)
  }
  const project = section.project_id ?? gcpConfig.project
  if (project === undefined) {
    throw new UserError('The project is not known: set project_id under gcp:, or "pulumi config set gcp:project …".')
  }
  const known = region ?? (zone === undefined ? gcpConfig.region : regionOfZone(zone))
  if (known === undefined) {
    throw new UserError('The region is not known: set region under gcp:, or "pulumi config set gcp:region …".')
  }
  return { jobId, project, region: known }
}

/** Of a service account: 6 to 30 characters, and a job's id has 24 at most. */
export function accountId(jobId: string, who: 'vm' | 'mg' | 'sc'): string {
  return `ct-${jobId}-${who}`
}

/** Of what nobody but people looks for. */
export function resourceName(jobId: string): string {
  return `cloud-tasks-${jobId}`
}
