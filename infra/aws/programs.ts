// What VMs and the serverless manager of a job are brought besides their script: which of it a job needs, how it is packed,
// and where it lies in the user's bucket.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UserError } from '../../core/errors.ts'
import type { JobConfig } from '../../core/job-config.ts'
import { packAgent } from '../delivery/agent-archive.ts'
import type { Archive } from '../delivery/archive.ts'
import { packBundle } from '../delivery/bundle-archive.ts'
import { deliveriesOf } from '../delivery/job-delivery.ts'

/** In a bucket, where a VM or a function can fetch it. */
export interface StoredProgram {
  readonly bucket: string
  readonly key: string
  /** Hexadecimal. */
  readonly sha512: string
}

export interface StoredPrograms {
  readonly agent?: StoredProgram
  readonly bundle?: StoredProgram
  /** A .zip of the serverless manager. */
  readonly manager?: StoredProgram
}

export interface PackedForVms {
  readonly agent?: Archive
  readonly bundle?: Archive
}

/** Of all objects that a job's agents write: its VMs may read, write and delete them. */
export function jobObjectsPrefix(jobId: string): string {
  return `cloud-tasks/${jobId}/`
}

/** Of what is brought to a job: its VMs may read it and must not write it, or a task could replace the manager. */
export function jobProgramsPrefix(jobId: string): string {
  return `cloud-tasks/programs/${jobId}/`
}

export async function packForVms(config: JobConfig, folder: string): Promise<PackedForVms> {
  const wanted = deliveriesOf(config)
  const { bundle } = config.boot
  return {
    ...(wanted.agent && { agent: await packAgent({ cloud: 'aws', folder }) }),
    ...(wanted.bundle && bundle !== undefined && { bundle: await packBundle(bundle, folder) }),
  }
}

/** The manager as one built file that needs no others. */
export function managerFolder(): string {
  for (const built of ['../../dist/serverless/aws', '../../serverless/aws']) {
    const folder = fileURLToPath(new URL(built, import.meta.url))
    if (existsSync(join(folder, `${MANAGER_MODULE}.mjs`))) return folder
  }
  throw new UserError('The serverless manager is not built: run "npm run build" in the folder of cloud-tasks.')
}

const MANAGER_MODULE = 'manager'
export const MANAGER_HANDLERS = {
  managerHandler: `${MANAGER_MODULE}.handler`,
  cleanupHandler: `${MANAGER_MODULE}.onDelete`,
}
