// What VMs and the serverless manager are brought besides their script: packed into a folder that lasts as long as this
// process, and put into the stack's own bucket.
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Bucket } from '@pulumi/gcp/storage/bucket.js'
import { BucketObject } from '@pulumi/gcp/storage/bucketObject.js'
import { asset, interpolate, type Output, output } from '@pulumi/pulumi'
import { UserError } from '../../../core/errors.ts'
import type { JobConfig } from '../../../core/job-config.ts'
import { packAgent } from '../../delivery/agent-archive.ts'
import { packBundle } from '../../delivery/bundle-archive.ts'
import { deliveriesOf } from '../../delivery/job-delivery.ts'
import { PROGRAMS_PREFIX, stackBucket } from '../stack-names.ts'
import type { Place } from './place.ts'

export interface StoredProgram {
  readonly object: BucketObject
  /** `gs://…` */
  readonly url: Output<string>
  /** Hexadecimal. */
  readonly sha512: Output<string>
}

export interface StoredPrograms {
  readonly bucket: Bucket
  readonly agent?: StoredProgram
  readonly bundle?: StoredProgram
  readonly manager?: StoredProgram
}

interface Packed {
  readonly path: string
  readonly sha512: string
  /** Absent: that of the file. */
  readonly name?: string
}

/** The objects are named after their content: a running VM or manager never sees half of a new deploy. */
export function storePrograms(place: Place, config: JobConfig, manager: 'serverless' | 'here'): StoredPrograms {
  const { jobId, project, region, parent } = place
  const bucket = new Bucket(
    'bucket',
    {
      name: stackBucket(project, jobId),
      project,
      location: region,
      labels: { 'cloud-tasks-job': jobId },
      uniformBucketLevelAccess: true,
      publicAccessPrevention: 'enforced',
      forceDestroy: true, // it holds nothing of the user's: large results go to the bucket that the job names
      softDeletePolicy: { retentionDurationSeconds: 0 }, // a note is written each minute
    },
    { parent },
  )
  const store = (id: string, archive: Promise<Packed>): StoredProgram => {
    const packed = output(archive)
    const object = new BucketObject(
      id,
      {
        bucket: bucket.name,
        name: packed.apply(({ path, name = basename(path) }) => `${PROGRAMS_PREFIX}${name}`),
        source: packed.apply(({ path }) => new asset.FileAsset(path)),
      },
      { parent },
    )
    return { object, url: interpolate`gs://${bucket.name}/${object.name}`, sha512: packed.sha512 }
  }
  const wanted = deliveriesOf(config)
  const { bundle } = config.boot
  const folder = temporaryFolder()
  return {
    bucket,
    ...(wanted.agent && { agent: store('agent-program', packAgent({ cloud: 'gcp', folder })) }),
    ...(wanted.bundle && bundle !== undefined && { bundle: store('bundle-program', packBundle(bundle, folder)) }),
    ...(manager === 'serverless' && { manager: store('manager-program', builtManager()) }),
  }
}

/** The manager as one built file that needs no others. */
async function builtManager(): Promise<Packed> {
  for (const built of ['../../../dist/serverless/gcp', '../../../serverless/gcp']) {
    const path = join(fileURLToPath(new URL(built, import.meta.url)), 'manager.mjs')
    if (!existsSync(path)) continue
    const sha512 = createHash('sha512').update(readFileSync(path)).digest('hex')
    return { path, sha512, name: `manager-${sha512.slice(0, 16)}.mjs` }
  }
  throw new UserError('The serverless manager is not built: run "npm run build" in the folder of cloud-tasks.')
}

let ownFolder: string | undefined

/** One for however many jobs a program deploys. */
function temporaryFolder(): string {
  if (ownFolder !== undefined) return ownFolder
  const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-programs-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  ownFolder = folder
  return folder
}
