// What the stack of a job is made from: the job, read and checked, before anything is drawn. The same for every cloud.
import { UserError } from '../core/errors.ts'
import type { JobConfig } from '../core/job-config.ts'
import type { JobFile } from '../core/job-file.ts'
import { loadJobFile, loadJobObject } from './load-job-file.ts'

export interface PoolPlan {
  readonly jobId: string
  readonly queueName: string
  readonly config: JobConfig
}

/** One of them. */
export interface JobSource {
  /** Path of a job file. */
  readonly jobFile?: string
  /** What a job file would say: `{ provider: 'aws', run: { … }, aws: { … } }`. */
  readonly job?: JobFile
  /** A configuration that is complete already. */
  readonly config?: JobConfig
}

/** Throws a UserError if the job is not one for `cloud`, or has no name. */
export function planOf({ jobFile, job, config: given }: JobSource, cloud: 'aws' | 'gcp'): PoolPlan {
  if ([jobFile, job, given].filter(source => source !== undefined).length !== 1) {
    throw new UserError('SpotTaskPool needs one of jobFile, job and config.')
  }
  const config = given ?? (job === undefined ? loadJobFile({ path: jobFile }) : loadJobObject(job)).config
  const { provider, jobId, queueName } = config
  const where = jobFile ?? 'the job'
  if (provider !== cloud) throw new UserError(`${where}: provider is ${provider}, but this is the stack of ${cloud}.`)
  if (jobId === undefined || queueName === undefined) throw new UserError(`${where}: set job_id under ${cloud}:.`)
  return { jobId, queueName, config }
}
