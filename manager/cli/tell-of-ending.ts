// Sends the notifications of a job's end, unless the user has no patience for it.
import type { JobDb } from '../job-db.ts'
import { type JobEnding, notifyOfEnding } from '../notify.ts'
import type { KeeperLog } from '../pool-keeper.ts'
import type { Report } from '../report.ts'
import type { Interrupts } from './interrupts.ts'
import type { OpenJob } from './open-job.ts'

export interface TellOptions {
  readonly job: OpenJob
  readonly db: JobDb
  readonly report: Report
  readonly interrupts: Interrupts
  readonly log: KeeperLog
}

export async function tellOfEnding(
  ending: JobEnding,
  { job, db, report, interrupts, log }: TellOptions,
): Promise<void> {
  const stop = new AbortController()
  void interrupts.next().then(() => stop.abort())
  await notifyOfEnding(ending, { db, jobId: job.jobId, config: job.config, report, log, signal: stop.signal })
}
