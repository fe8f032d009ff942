// The serverless manager as AWS Lambda functions: one look a minute, and the end of the last VMs when the stack is deleted.
// Standard output is the log. Errors of a look are one line each, and the invocation fails, so that an alarm sees it.
import { systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { type PackedJob, unpackJob } from '../../core/packed-job.ts'
import { openProvider } from '../../infra/open-provider.ts'
import type { Provider } from '../../infra/provider.ts'
import { type CustomResourceEvent, customResourceId, reportToStack } from './custom-resource.ts'
import { endAllVms } from './end-all-vms.ts'
import { renderMetrics } from './metrics.ts'
import { isBeingHandedOver } from './orders.ts'
import { serverlessTick } from './tick.ts'

export interface LambdaContext {
  getRemainingTimeInMillis(): number
}

/** Kept back of a function's time for the last words. */
const LAST_WORDS_MS = 10_000

export async function handler(_event: unknown, context: LambdaContext): Promise<void> {
  const errors: string[] = []
  const say = (level: string, text: string) => {
    if (level === 'ERROR') errors.push(text)
    if (level !== 'DEBUG') sayLine(level, text)
  }
  try {
    await withJob(async (job, provider) => {
      const until = new Date(systemClock.now() + context.getRemainingTimeInMillis())
      const summary = await serverlessTick({ provider, job, until, log: say })
      if (summary.kind === 'superseded') return say('INFO', `Nothing was done: ${summary.because}.`)
      const { backlog, vmCount, spentUsd, reason } = summary
      say('INFO', `${backlog} tasks in the queue, ${vmCount} VMs, $${spentUsd.toFixed(4)} spent; ${reason}`)
      process.stdout.write(`${renderMetrics(job.jobId, summary, new Date(systemClock.now()))}\n`)
    }, say)
  } catch (error) {
    say('ERROR', messageOf(error))
  }
  if (errors.length > 0) throw failure(errors.join(' '))
}

/**
 * For a custom resource of CloudFormation: on deletion all VMs of the job are ended before it is answered. A stack that goes
 * on without its manager, because `cloud-tasks run` has taken over, looks the same from here: the note tells them apart.
 */
export async function onDelete(event: CustomResourceEvent, context: LambdaContext): Promise<void> {
  const physicalId = event.PhysicalResourceId ?? customResourceId(process.env.AWS_LAMBDA_FUNCTION_NAME)
  let reason: string | undefined
  try {
    if (event.RequestType === 'Delete') {
      const deadlineMs = systemClock.now() + context.getRemainingTimeInMillis() - LAST_WORDS_MS
      await withJob(async (job, provider) => {
        const { jobId, config } = job
        if (await isHandedOver(provider, jobId)) return sayLine('INFO', 'Another manager looks after the VMs now')
        const pool = provider.openPool({ jobId, ...(config.region && { region: config.region }) })
        await endAllVms(pool, { deadlineMs, say: text => sayLine('INFO', text) })
      }, sayLine)
    }
  } catch (error) {
    reason = messageOf(error)
    sayLine('ERROR', reason)
  }
  // Without an answer CloudFormation would wait for an hour.
  await reportToStack(event, { physicalId, reason })
}

/** What cannot be read is no reason to leave VMs that cost money. */
async function isHandedOver(provider: Provider, jobId: string): Promise<boolean> {
  try {
    return await isBeingHandedOver(provider, jobId, new Date(systemClock.now()))
  } catch (error) {
    sayLine('WARNING', messageOf(error))
    return false
  }
}

async function withJob(
  work: (job: PackedJob, provider: Provider) => Promise<void>,
  say: (level: 'WARNING', text: string) => void,
): Promise<void> {
  const job = unpackJob(process.env.CLOUD_TASKS_JOB)
  const { region, section } = job.config
  const provider = await openProvider(job.config.provider, {
    ...(region && { region }),
    ...(section.bucket && { bucket: section.bucket }),
    onWarning: text => say('WARNING', text),
    env: { XDG_CACHE_HOME: '/tmp', ...process.env }, // the one folder of a function that can be written
  })
  try {
    await work(job, provider)
  } finally {
    await provider.close()
  }
}

/** Past `console`, which would put a time and a request id before it: metrics have to begin their line. */
function sayLine(level: string, text: string): void {
  process.stdout.write(`${level} ${text.replaceAll('\n', ' ')}\n`)
}

function failure(sentence: string): Error {
  const error = new Error(sentence)
  error.stack = sentence // where in a bundle it happened helps nobody
  return error
}
