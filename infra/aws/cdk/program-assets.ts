// Programs of a job as assets of the CDK, which puts them into the bucket that "cdk bootstrap" made.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { Asset } from 'aws-cdk-lib/aws-s3-assets'
import type { Construct } from 'constructs'
import { UserError } from '../../../core/errors.ts'
import type { JobConfig } from '../../../core/job-config.ts'
import { deliveriesOf } from '../../delivery/job-delivery.ts'
import { managerFolder, type PackedForVms, type StoredProgram, type StoredPrograms } from '../programs.ts'

/** Constructs cannot wait for anything, so another process packs, and this one stands still meanwhile. */
export function vmProgramAssets(scope: Construct, config: JobConfig): StoredPrograms {
  const wanted = deliveriesOf(config)
  if (!wanted.agent && !wanted.bundle) return {}
  const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-programs-'))
  try {
    const { agent, bundle } = packElsewhere(config, folder)
    return {
      ...(agent && { agent: storedAsset(scope, 'Agent', agent) }),
      ...(bundle && { bundle: storedAsset(scope, 'Bundle', bundle) }),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true }) // the CDK has made its own copy by now
  }
}

export function managerCodeAsset(): Code {
  return Code.fromAsset(managerFolder())
}

function storedAsset(scope: Construct, id: string, { path, sha512 }: { path: string; sha512: string }): StoredProgram {
  const asset = new Asset(scope, id, { path, assetHash: createHash('sha256').update(sha512).digest('hex') })
  return { bucket: asset.s3BucketName, key: asset.s3ObjectKey, sha512 }
}

function packElsewhere(config: JobConfig, folder: string): PackedForVms {
  const program = fileURLToPath(new URL(`./pack-programs${extname(import.meta.url)}`, import.meta.url))
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, folder], {
    input: JSON.stringify(config),
    encoding: 'utf8',
    maxBuffer: 10_000_000,
  })
  if (status !== 0) throw new UserError(stderr.trim().split('\n').at(-1) || 'The programs of the VMs cannot be packed.')
  const packed: PackedForVms = JSON.parse(stdout)
  return packed
}
