// `cloud-tasks-agent serve`: from settings to a server that runs until it is told to stop. Opens what the API needs, and
// closes it in the order that loses nothing.
import { messageOf } from '../../core/errors.ts'
import { deadLetterQueueName, eventQueueName } from '../../core/names.ts'
import type { Provider, Queue } from '../../infra/provider.ts'
import { openAdmission } from '../admission.ts'
import type { AttemptContext } from '../attempt-report.ts'
import { type Env, openSettingsProvider } from '../connections.ts'
import { queueSink } from '../event-sinks.ts'
import { openJobObjects } from '../job-objects.ts'
import { type Log, openFileLog, openLog } from '../log.ts'
import { newSession, openOrigin } from '../origin.ts'
import { openReporter } from '../reporter.ts'
import { openApiKeys } from './api-keys.ts'
import { openClaimDesk } from './claim-desk.ts'
import { type Claim, openClaims } from './claims.ts'
import { openMetrics } from './metrics.ts'
import { parseServe, renderServeHelp, type ServeSettings } from './serve-settings.ts'
import { openServer } from './server.ts'
import { openSettlement } from './settlement.ts'
import { openTaskApi } from './task-api.ts'
import { openTaskRecords } from './task-records.ts'

const FINAL_REPORT_MS = 10_000

export async function runServe(words: readonly string[], env: Env): Promise<number> {
  const asked = parseServe(words, env)
  if (asked.ask === 'help') {
    process.stdout.write(renderServeHelp())
    return 0
  }
  const { settings } = asked
  const log = settings.logFile === undefined ? openLog(settings) : openFileLog(settings.logFile, settings)
  const keys = openApiKeys(settings.apiKeys)
  const provider = await openSettingsProvider(settings.agent, env)
  if (provider === undefined) throw new Error('There is no provider.')
  try {
    await serve(settings, keys, provider, log)
  } finally {
    await provider.close()
  }
  return 0
}

async function serve(
  settings: ServeSettings,
  keys: ReturnType<typeof openApiKeys>,
  provider: Provider,
  log: Log,
): Promise<void> {
  const { agent, queueName, claimLeaseSeconds } = settings
  const { limits } = provider
  const queueLeaseSeconds = Math.min(agent.leaseSeconds, limits.maxLeaseSeconds)
  const open = (name: string, leaseSeconds = queueLeaseSeconds) => provider.openQueue(name, { leaseSeconds })
  const queue = open(queueName)
  const deadLetters = open(deadLetterQueueName(queueName))
  const events = queueSink(open(eventQueueName(queueName)))
  await queue.admin.ensure()

  const origin = openOrigin(undefined, newSession())
  const objects = openJobObjects(provider, agent.jobId ?? queueName)
  const { maxBodyBytes, maxDelaySeconds } = limits
  const context: AttemptContext = { origin, policy: agent, ...limits, objects }
  const metrics = openMetrics()
  const records = openTaskRecords(settings.stateFile, queueName)
  const claims = openClaims({
    queueFor: seconds => (seconds === queueLeaseSeconds ? queue : open(queueName, seconds)),
    queueLeaseSeconds,
    records,
    log,
    interrupted,
    expired: count => {
      metrics.expired += count
    },
  })
  const settlement = openSettlement({ events, tasks: queue, deadLetters, context, records, remove: claims.remove })
  const reporter = openReporter({ events, tasks: queue, deadLetters, log }) // of what is no task, and of no claim
  const admission = openAdmission({
    queueName,
    context,
    maxAttempts: agent.maxAttempts,
    tasksToSkip: 0,
    reporter,
    log,
    keepLeases: () => {},
    release: (tasks, delaySeconds) => background(release(queue, tasks, delaySeconds)),
    track: background,
    ready: task => desk.park([task]),
  })
  const desk = openClaimDesk({
    queue,
    queueLeaseSeconds,
    claims,
    records,
    admit: admission.admit,
    nextClaimId: origin.nextEventId,
    log,
  })
  const api = openTaskApi({
    queue,
    maxBodyBytes,
    maxDelaySeconds,
    defaultLeaseSeconds: Math.min(claimLeaseSeconds, settings.maxClaimLeaseSeconds),
    maxLeaseSeconds: Math.min(settings.maxClaimLeaseSeconds, limits.maxTotalLeaseSeconds ?? Number.POSITIVE_INFINITY),
    desk,
    claims,
    settlement,
    records,
    metrics,
  })
  const { host, port } = settings
  const server = await openServer({
    host,
    port,
    maxBodyBytes: settings.maxBodyBytes,
    api,
    keys,
    metrics,
    liveClaims: claims.count,
    log,
  })
  log.info(`Serving the tasks of ${queueName} on http://${host.includes(':') ? `[${host}]` : host}:${server.port}/v1.`)
  if (claims.count() > 0) log.info(`${claims.count()} claims from before are still held.`)

  await toldToStop(log)
  // Waiting claims first, so that their clients are answered; then what is under way; the claims stay as they are: their
  // workers can end them with the next server, for as long as the leases last that are renewed here once more.
  await desk.close()
  await server.close(agent.shutdownGraceSeconds * 1000)
  await settlement.idle()
  await reporter.drain(AbortSignal.timeout(FINAL_REPORT_MS))
  await claims.close()
  records.close()
  log.info('Stopped: asked to.')

  /** Its worker is not heard of any more, but has left a checkpoint. */
  function interrupted(claim: Claim): void {
    background(settlement.settle(claim, { kind: 'interrupted', reason: 'preempted' }).then(() => {}))
  }

  function background(work: Promise<void>): void {
    work.catch((error: unknown) => log.warning(messageOf(error)))
  }
}

async function release(
  queue: Queue,
  tasks: readonly { readonly receipt: Parameters<Queue['release']>[0][number] }[],
  delaySeconds: number,
): Promise<void> {
  await queue.release(
    tasks.map(task => task.receipt),
    delaySeconds,
  )
}

/** A second signal ends the process at once, which loses nothing either. */
async function toldToStop(log: Log): Promise<void> {
  const signal = await new Promise<NodeJS.Signals>(resolve => {
    process.once('SIGINT', resolve).once('SIGTERM', resolve)
  })
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))
  log.warning(`${signal}: answering what is under way. Once more to stop at once.`)
}
