// A job in one environment variable: what a manager in a cloud function has to know of it, without secrets, scripts and
// whatever only VMs need.
import { createHash } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { layerConfig } from './config-layers.ts'
import { UserError } from './errors.ts'
import { DEFAULTS, type JobConfig, jobConfigOf } from './job-config.ts'
import { parseJobFile, specOf } from './job-file.ts'

export interface PackedJob {
  readonly jobId: string
  readonly queueName: string
  readonly config: JobConfig
  /** Another one for each deploy of something else. */
  readonly deployId: string
}

export interface JobToPack {
  readonly jobId: string
  readonly queueName: string
  readonly config: JobConfig
  /** What else the VMs depend on, such as their script or the hash of their code: with other content it is another deploy. */
  readonly content?: string
}

const MAX_PACKED_BYTES = 3_500 // AWS Lambda takes 4 KiB of variables in all

/** Keys that no manager reads. */
const LEFT_OUT: readonly string[] = [
  'job_id',
  'queue_name',
  'db_file',
  'task',
  'bundle',
  'startup_script',
  'startup_script_file',
  'environment',
  'secrets',
  'credentials_file',
  'agent_url',
  'agent_sha512',
  'node_url',
  'node_sha512',
]

/** Base64 of gzipped JSON. Throws a UserError if the job's settings are too long. */
export function packJob({ jobId, queueName, config, content = '' }: JobToPack): string {
  const defaults: Readonly<Record<string, unknown>> = DEFAULTS
  const kept = Object.entries(config.section).filter(
    ([key, value]) =>
      value !== undefined && !LEFT_OUT.includes(key) && !isSecret(key) && !sameValue(value, defaults[key]),
  )
  const values = Object.fromEntries(kept)
  const hash = createHash('sha256').update(
    JSON.stringify([values, config.boot.task, config.boot.startupScript, content]),
  )
  const job = { jobId, queueName, provider: config.provider, values, deployId: hash.digest('hex').slice(0, 16) }
  const packed = gzipSync(JSON.stringify(job), { level: 9 }).toString('base64')
  if (packed.length > MAX_PACKED_BYTES) {
    throw new UserError(
      `The settings of job "${jobId}" take ${packed.length} bytes, and a cloud function has room for ${MAX_PACKED_BYTES}: ` +
        'shorten the longest lists, such as instance_types, or use a manager of your own.',
    )
  }
  return packed
}

/** Throws a UserError for what `packJob` did not write. */
export function unpackJob(packed: string | undefined): PackedJob {
  const { jobId, queueName, deployId, provider, values } = jsonOf(packed)
  const parsed = parseJobFile({ provider, [String(provider)]: values })
  if (!isText(jobId) || !isText(queueName) || !isText(deployId) || !('file' in parsed)) throw notAJob()
  const layered = layerConfig({
    file: parsed.file,
    commandLine: { job_id: jobId, queue_name: queueName },
    provider: undefined,
  })
  return { jobId, queueName, deployId, config: jobConfigOf({ ...layered, startupScript: undefined, folder: '/' }) }
}

function jsonOf(packed: string | undefined): Readonly<Record<string, unknown>> {
  if (!packed) throw new UserError('CLOUD_TASKS_JOB is not set: deploy the job again.')
  try {
    const job: unknown = JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString('utf8'))
    if (typeof job === 'object' && job !== null) return { ...job }
  } catch (cause) {
    throw notAJob(cause)
  }
  throw notAJob()
}

function notAJob(cause?: unknown): UserError {
  return new UserError('CLOUD_TASKS_JOB is damaged, or of another version: deploy the job again.', { cause })
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isSecret(key: string): boolean {
  const spec = specOf(key)
  return spec?.type === 'text' && spec.secret === true
}

function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
