// The serverless manager as a service of Cloud Run: every POST is one look at the job, and nothing else is served. Standard
// output is the log, a JSON document a line. A failed look is answered by 500, so that an alert sees it.
import { createServer } from 'node:http'
import { systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { type PackedJob, unpackJob } from '../../core/packed-job.ts'
import { openProvider } from '../../infra/open-provider.ts'
import { serverlessTick } from './tick.ts'

const DEFAULT_LOOK_SECONDS = 55
/** Kept back of the time that Cloud Run gives a request for the last words. */
const LAST_WORDS_SECONDS = 5
const DEFAULT_PORT = 8080 // https://cloud.google.com/run/docs/container-contract#port

const lookMs = (Number(process.env.CLOUD_TASKS_LOOK_SECONDS || DEFAULT_LOOK_SECONDS) - LAST_WORDS_SECONDS) * 1000

const server = createServer((request, response) => {
  request.resume()
  if (request.method !== 'POST') return void response.writeHead(405, { allow: 'POST' }).end()
  const answer = (errors: readonly string[]) =>
    response
      .writeHead(errors.length === 0 ? 200 : 500, { 'content-type': 'text/plain; charset=utf-8' })
      .end(`${errors.join(' ') || 'done'}\n`)
  look().then(answer, error => answer([messageOf(error)]))
})
server.listen(Number(process.env.PORT || DEFAULT_PORT))
process.once('SIGTERM', () => server.close())

/** The errors of it, which have been logged. */
async function look(): Promise<readonly string[]> {
  const errors: string[] = []
  const say = (severity: string, message: string) => {
    if (severity === 'ERROR') errors.push(message)
    if (severity !== 'DEBUG') sayLine({ severity, message })
  }
  const until = new Date(systemClock.now() + lookMs)
  // Without a processor a stuck look would wake up in the time of another one: it ends with its process.
  const done = new AbortController()
  const deadline = systemClock.sleep(lookMs, done.signal).then(() => {
    if (done.signal.aborted) return
    sayLine({ severity: 'ERROR', message: `The look took more than ${lookMs / 1000} s, and was ended.` })
    process.exit(1)
  })
  try {
    await lookAt(unpackJob(process.env.CLOUD_TASKS_JOB), until, say)
  } catch (error) {
    say('ERROR', messageOf(error))
  } finally {
    done.abort()
    await deadline.catch(() => {})
  }
  return errors
}

async function lookAt(
  job: PackedJob,
  until: Date,
  say: (severity: 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR', message: string) => void,
): Promise<void> {
  const { region, section } = job.config
  const provider = await openProvider(job.config.provider, {
    ...(region && { region }),
    ...(section.project_id && { projectId: section.project_id }),
    ...(section.bucket && { bucket: section.bucket }),
    onWarning: text => say('WARNING', text),
    env: { XDG_CACHE_HOME: '/tmp', ...process.env }, // the one folder of a service that can be written
  })
  try {
    const summary = await serverlessTick({ provider, job, until, log: say })
    if (summary.kind === 'superseded') return say('INFO', `Nothing was done: ${summary.because}.`)
    const { backlog, vmCount, spentUsd, usdPerHour, reason, stopped } = summary
    const message = `${backlog} tasks in the queue, ${vmCount} VMs, $${spentUsd.toFixed(4)} spent; ${reason}`
    // The numbers are what alerts and people's charts are made from.
    sayLine({ severity: 'INFO', message, backlog, vmCount, spentUsd, usdPerHour, stopped: stopped !== undefined })
  } finally {
    await provider.close()
  }
}

function sayLine(entry: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(entry)}\n`)
}
