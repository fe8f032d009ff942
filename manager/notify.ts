// Tells people, or their programs, how a job ended: runs a command or posts to a webhook.
//
// Sent first, remembered after: a manager that is killed between the two sends again when the job is continued, with the same
// id. An ending has one id, however often its job is continued; a job that goes on and ends anew has another ending.
import { createHash } from 'node:crypto'
import { type Clock, systemClock } from '../core/clock.ts'
import type { JobConfig } from '../core/job-config.ts'
import type { JobDb } from './job-db.ts'
import { runNotifyCommand } from './notify-command.ts'
import { originOf, postWebhook } from './notify-webhook.ts'
import type { Report } from './report.ts'

export type JobEnding =
  | { readonly kind: 'finished' }
  /** Stopped by itself, with tasks left. */
  | { readonly kind: 'aborted'; readonly because: string; readonly overBudget: boolean }

type Word = 'finish' | 'failure' | 'budget'

export interface Notification {
  /** The same whenever this ending is told again. */
  readonly id: string
  readonly event: Word
  /** One sentence; chat programs show it. */
  readonly text: string
  readonly job_id: string
  readonly at: string
  readonly because?: string
  readonly total: number
  readonly completed: number
  readonly failed: number
  readonly unfinished: number
  readonly cost_usd: number
  readonly max_total_cost_usd?: number
  readonly wall_seconds?: number
  readonly db_file: string
}

export interface NotifyOptions {
  readonly db: Pick<JobDb, 'sqlite' | 'file'>
  readonly jobId: string
  readonly config: Pick<JobConfig, 'notify' | 'pool'>
  readonly report: Report
  readonly log: (level: 'INFO' | 'WARNING', text: string) => void
  /** Gives up. */
  readonly signal: AbortSignal
  readonly clock?: Clock
}

/** Never rejects: a job that is done is done, whether anybody hears of it or not. */
export async function notifyOfEnding(ending: JobEnding, options: NotifyOptions): Promise<void> {
  const { config, db, log, clock = systemClock } = options
  for (const [event, target] of targetsOf(ending, options.report, config.notify)) {
    const notification = describe(event, ending, options, new Date(clock.now()))
    if (wasSent(db, notification.id)) continue
    const problem = isWebhook(target)
      ? await postWebhook(target, notification, { signal: options.signal, clock })
      : await runNotifyCommand(target, notification, { signal: options.signal })
    if (problem === undefined) {
      remember(db, notification)
      log('INFO', `on_${event}: ${isWebhook(target) ? `told ${originOf(target)}` : 'the command has run'}`)
    } else {
      const whom = isWebhook(target) ? `${originOf(target)} could not be told` : 'the command failed'
      log('WARNING', `on_${event}: ${whom}: ${problem}. The job itself is as the report says.`)
    }
  }
}

/** A job over its budget is told as that, and as a failure only to who did not ask for that. */
function targetsOf(
  ending: JobEnding,
  report: Report,
  notify: JobConfig['notify'],
): readonly (readonly [Word, string])[] {
  const words: Word[] =
    ending.kind === 'finished'
      ? report.allCompleted
        ? ['finish']
        : ['finish', 'failure']
      : [ending.overBudget && notify.onBudget !== undefined ? 'budget' : 'failure']
  const targets = { finish: notify.onFinish, failure: notify.onFailure, budget: notify.onBudget }
  return words.flatMap(word => {
    const target = targets[word]
    return target === undefined ? [] : [[word, target] as const]
  })
}

function isWebhook(target: string): boolean {
  return /^https?:\/\//i.test(target)
}

function describe(
  event: Word,
  ending: JobEnding,
  { db, jobId, config, report }: NotifyOptions,
  at: Date,
): Notification {
  const { totalCount, unfinishedCount, counts, cost, wallSeconds } = report
  const failed = totalCount - unfinishedCount - counts.completed
  const because = ending.kind === 'aborted' ? ending.because : undefined
  const number = (value: number) => value.toLocaleString('en-US')
  const money = `$${cost.usd.toFixed(cost.usd < 1 ? 4 : 2)}`
  const done = `${number(counts.completed)} of ${number(totalCount)} tasks completed, ${number(failed)} failed`
  const text =
    because === undefined
      ? `Job ${jobId} is done: ${done}, for ${money}.`
      : `Job ${jobId} stopped: ${because}. ${done}, for ${money}.`
  const { maxTotalCostUsd } = config.pool
  return {
    id: idOf(event, { jobId, report, because, maxTotalCostUsd }),
    event,
    text,
    job_id: jobId,
    at: at.toISOString(),
    ...(because === undefined ? undefined : { because }),
    total: totalCount,
    completed: counts.completed,
    failed,
    unfinished: unfinishedCount,
    cost_usd: cost.usd,
    ...(maxTotalCostUsd === undefined ? undefined : { max_total_cost_usd: maxTotalCostUsd }),
    ...(wallSeconds === undefined ? undefined : { wall_seconds: wallSeconds }),
    db_file: db.file,
  }
}

interface IdParts {
  readonly jobId: string
  readonly report: Report
  readonly because: string | undefined
  readonly maxTotalCostUsd: number | undefined
}

/** Of what cannot change while nothing more is done. Late events of dying agents may raise the number of attempts: not that. */
function idOf(event: Word, { jobId, report, because, maxTotalCostUsd }: IdParts): string {
  const { counts, firstEnqueuedAt, lastCompletedAt } = report
  const ending = [event, jobId, firstEnqueuedAt, lastCompletedAt, counts, because === undefined, maxTotalCostUsd]
  return createHash('sha256').update(JSON.stringify(ending)).digest('hex').slice(0, 24)
}

function wasSent({ sqlite }: NotifyOptions['db'], id: string): boolean {
  return sqlite.prepare('SELECT 1 FROM job WHERE key = ?').get(`notified:${id}`) !== undefined
}

function remember({ sqlite }: NotifyOptions['db'], { id, at }: Notification): void {
  sqlite.prepare('INSERT OR REPLACE INTO job VALUES (?, ?)').run(`notified:${id}`, JSON.stringify(at))
}
