// The program cloud-tasks-agent: from a command line to an exit code. Opens what the agent needs, and watches for what
// makes it stop: signals, the notice of a spot VM, the end of a task file.
import { readFileSync } from 'node:fs'
import { messageOf, UserError } from '../core/errors.ts'
import type { VmId } from '../core/ids.ts'
import { deadLetterQueueName, eventQueueName } from '../core/names.ts'
import type { AgentSettings } from '../core/settings.ts'
import { openProvider } from '../infra/open-provider.ts'
import { type Instance, PROVIDER_NAMES, type Provider, type ProviderName, type Queue } from '../infra/provider.ts'
import { type Agent, startAgent } from './agent.ts'
import { type CommandLine, parseCommandLine, renderHelp } from './command-line.ts'
import { type Ending, reasonOf } from './ending.ts'
import { bothSinks, fileSink, noSink, queueSink } from './event-sinks.ts'
import { type FileQueue, openFileQueue } from './file-queue.ts'
import { keepAlive } from './keep-alive.ts'
import { type Log, openLog } from './log.ts'
import { watchNotices } from './notices.ts'
import { type EventOrigin, newSession, openOrigin } from './origin.ts'
import type { EventSink } from './reporter.ts'
import { taskProgram } from './task-program.ts'
import { workerData } from './worker-data.ts'

type Env = Readonly<Record<string, string | undefined>>

const DESCRIBE_MS = 5000 // a metadata service that does not answer must not keep us from working
const POWER_OFF_MS = 30_000
const NO_LIMITS = { maxBodyBytes: 64 * 1024 ** 2, maxDelaySeconds: Number.POSITIVE_INFINITY } // of a log file

export async function runCommand(words: readonly string[], env: Env): Promise<number> {
  let log = openLog({ verbose: false })
  try {
    const commandLine = parseCommandLine(words, env)
    if (commandLine.ask === 'help') return print(renderHelp())
    if (commandLine.ask === 'version') return print(`${version()}\n`)
    log = openLog(commandLine)
    return await work(commandLine, env, log)
  } catch (error) {
    if (!(error instanceof UserError)) {
      log.error(`The agent failed: ${messageOf(error)}`)
      log.debug(error instanceof Error ? (error.stack ?? '') : '')
      return 1
    }
    process.stderr.write(`${error.message}\n`)
    return error.exitCode
  }
}

async function work({ settings, task }: CommandLine, env: Env, log: Log): Promise<number> {
  // A wrong command line is told before anything is opened.
  if (task === undefined) taskProgram(task, { maxMemoryGb: undefined })
  const provider = await openSettingsProvider(settings, env)
  const queueName = settings.queueName ?? settings.jobId
  const { taskFile } = settings
  if (taskFile === undefined && provider === undefined) {
    throw new UserError(
      'Provider must be specified with --provider or RMS_CLOUD_TASKS_PROVIDER, unless there is a --task-file.',
    )
  }
  if (taskFile === undefined && queueName === undefined) {
    throw new UserError(
      'The queue is not known: give --queue-name or --job-id (RMS_CLOUD_TASKS_JOB_ID), or a --task-file.',
    )
  }
  const eventsToFile = settings.eventLogToFile ?? taskFile !== undefined
  const eventsToQueue = settings.eventLogToQueue ?? taskFile === undefined
  if (eventsToQueue && (provider === undefined || queueName === undefined)) {
    throw new UserError('Events can go to a queue only with --provider and --queue-name or --job-id.')
  }

  const instance = provider?.openInstance()
  const origin = openOrigin(await describeId(instance), newSession())
  const openQueue = (name: string) => provider?.openQueue(name, { leaseSeconds: settings.leaseSeconds })
  const eventQueue = eventsToQueue && queueName !== undefined ? openQueue(eventQueueName(queueName)) : undefined
  const events = eventSink(eventQueue, eventsToFile ? settings.eventLogFile : undefined)

  const ending = await attempt()
  // Only a VM that the manager made knows these settings: never power off somebody's own computer.
  const managed = settings.idleShutdownSeconds !== undefined || settings.maxInstanceLifetimeSeconds !== undefined
  if (managed && instance !== undefined && ending.kind !== 'done' && ending.kind !== 'preempted' && !bySignal(ending)) {
    log.info(`Powering this VM off: ${reasonOf(ending)}.`)
    await bounded(instance.powerOff(), POWER_OFF_MS)
  }
  await provider?.close()
  return ending.kind === 'fatal' ? 1 : 0

  /** What cannot start ends like what has failed on the way: one sentence, one event. */
  async function attempt(): Promise<Ending> {
    try {
      const program = taskProgram(task, { maxMemoryGb: settings.maxMemoryPerTaskGb })
      const slotCount = settings.slotCount ?? (settings.vcpuCount || 1)
      const queue =
        taskFile === undefined ? openQueue(queueName ?? '') : await openTaskFile(taskFile, settings, provider)
      if (queue === undefined) throw new Error('There is no queue.')
      const agent = startAgent({
        settings,
        slotCount,
        program,
        workerData: workerData(settings, { queueName, slotCount, eventsToQueue, eventsToFile }),
        origin,
        queue,
        deadLetters: (taskFile === undefined ? openQueue(deadLetterQueueName(queue.name)) : undefined) ?? noQueue,
        events,
        limits: taskFile === undefined || eventsToQueue ? (provider?.limits ?? NO_LIMITS) : NO_LIMITS,
        objects: objectsOf(provider),
        log,
      })
      log.info(
        `Running ${program.name} in ${slotCount} slot${slotCount === 1 ? '' : 's'} on ${taskFile ?? queue.name}.`,
      )
      return await watch(agent, queue, log, settings, { instance, origin, eventQueue })
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      log.error(error.message)
      const event = origin.notice({ kind: 'fatal_exception', exception: error.message })
      await events
        .send([event])
        .catch((failure: unknown) => log.error(`and it could not be reported: ${messageOf(failure)}`))
      return { kind: 'fatal', sentence: error.message }
    }
  }
}

interface Surroundings {
  readonly instance: Instance | undefined
  readonly origin: EventOrigin
  readonly eventQueue: Queue | undefined
}

/** Everything that can make the agent stop, until it has. */
async function watch(
  agent: Agent,
  queue: Queue,
  log: Log,
  settings: AgentSettings,
  { instance, origin, eventQueue }: Surroundings,
): Promise<Ending> {
  const over = new AbortController()
  const { signal } = over
  let told = false
  const onSignal = (name: NodeJS.Signals, number: number) => {
    if (told) {
      agent.killNow()
      process.exit(128 + number)
    }
    told = true
    log.warning(`${name}: stopping; running tasks have ${settings.shutdownGraceSeconds} s. Once more to stop at once.`)
    agent.stop({
      kind: 'shutdown',
      finishByMs: performance.now() + settings.shutdownGraceSeconds * 1000,
      because: 'signal',
    })
  }
  const onInt = () => onSignal('SIGINT', 2)
  const onTerm = () => onSignal('SIGTERM', 15)
  process.on('SIGINT', onInt).on('SIGTERM', onTerm)

  let fileProblem: unknown
  if (fromFile(queue)) {
    queue.exhausted
      .catch((error: unknown) => {
        fileProblem = error
      })
      .finally(() => agent.stop({ kind: 'done' }))
  }
  const watchers = [
    watchNotices({ instance: settings.spot ? instance : undefined, settings, log, signal, stop: agent.stop }),
    keepAlive({ queue: eventQueue, origin, intervalSeconds: settings.keepaliveIntervalSeconds, log, signal }),
  ]
  const ending = await agent.stopped
  over.abort()
  await Promise.all(watchers)
  process.off('SIGINT', onInt).off('SIGTERM', onTerm)
  if (fileProblem !== undefined) throw fileProblem
  log[ending.kind === 'fatal' ? 'error' : 'info'](
    ending.kind === 'fatal' ? ending.sentence : `Stopped: ${reasonOf(ending)}.`,
  )
  return ending
}

function fromFile(queue: Queue): queue is FileQueue {
  return 'exhausted' in queue
}

async function openTaskFile(location: string, settings: AgentSettings, provider: Provider | undefined): Promise<Queue> {
  const { readTaskFile } = await import('../infra/task-file/read-task-file.ts')
  const objects = objectsOf(provider)
  const { tasksToSkip: skip, maxTaskCount: limit } = settings
  const batches = readTaskFile(location, {
    skip,
    ...(limit === undefined ? undefined : { limit }),
    ...(objects && { objects }),
  })
  return openFileQueue(location, batches)
}

async function openSettingsProvider(settings: AgentSettings, env: Env): Promise<Provider | undefined> {
  if (settings.provider === undefined) return undefined
  const name = settings.provider.toLowerCase()
  const known = PROVIDER_NAMES.find(candidate => candidate === name)
  if (known === undefined) {
    throw new UserError(`Unknown provider "${settings.provider}": it must be one of ${PROVIDER_NAMES.join(', ')}.`)
  }
  const { region, projectId, localRoot, exactlyOnceQueue } = settings
  return openProvider(known satisfies ProviderName, {
    ...(region === undefined ? undefined : { region }),
    ...(projectId === undefined ? undefined : { projectId }),
    ...(localRoot === undefined ? undefined : { local: { root: localRoot } }),
    exactlyOnceQueue,
    env,
  })
}

function eventSink(queue: Queue | undefined, file: string | undefined): EventSink {
  const toQueue = queue === undefined ? undefined : queueSink(queue)
  const toFile = file === undefined ? undefined : fileSink(file)
  if (toQueue !== undefined && toFile !== undefined) return bothSinks(toFile, toQueue)
  return toQueue ?? toFile ?? noSink
}

/** The id under which the manager lists this VM; the host name where nothing answers. */
async function describeId(instance: Instance | undefined): Promise<VmId | undefined> {
  if (instance === undefined) return undefined
  const described = await bounded(
    instance.describe().catch(() => undefined),
    DESCRIBE_MS,
  )
  return described?.id
}

function objectsOf(provider: Provider | undefined) {
  return provider?.openObjects()
}

/** A task file has no dead letters: the event says why. */
const noQueue: Pick<Queue, 'send'> = { send: async () => {} }

function bySignal(ending: Ending): boolean {
  return ending.kind === 'shutdown' && ending.because === 'signal'
}

async function bounded<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

function version(): string {
  for (const up of ['../package.json', '../../package.json']) {
    try {
      const manifest: { name?: string; version?: string } = JSON.parse(
        readFileSync(new URL(up, import.meta.url), 'utf8'),
      )
      if (manifest.name === 'cloud-tasks') return manifest.version ?? 'unknown'
    } catch {
      // compiled code lies one folder deeper
    }
  }
  return 'unknown'
}

function print(text: string): number {
  process.stdout.write(text)
  return 0
}
