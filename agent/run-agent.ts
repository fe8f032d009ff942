// One agent from its start to its end: watches for what makes it stop (signals, the notice of a spot VM, the end of a task
// file), and leaves this VM as it should be left.
import { messageOf, UserError } from '../core/errors.ts'
import type { RetryPolicy } from '../core/retry.ts'
import type { AgentSettings } from '../core/settings.ts'
import { type Agent, startAgent } from './agent.ts'
import { bounded } from './bounded.ts'
import { type Connections, isFileQueue } from './connections.ts'
import { type Ending, reasonOf } from './ending.ts'
import { keepAlive } from './keep-alive.ts'
import type { Log } from './log.ts'
import { watchNotices } from './notices.ts'
import { openObservers } from './observers.ts'
import type { TaskProgram } from './task-program.ts'
import { workerData } from './worker-data.ts'

export interface AgentRun {
  readonly settings: AgentSettings
  readonly connections: Connections
  /** May throw a UserError: what cannot start is reported as an event too. */
  readonly program: () => TaskProgram
  readonly log: Log
  /** Whether SIGINT and SIGTERM make it stop: the first one gracefully, a second one at once with the whole program. */
  readonly signals: boolean
  /** Default: the settings. */
  readonly policy?: RetryPolicy
  /** The agent runs from here on. */
  readonly started?: (agent: Agent) => void
}

const POWER_OFF_MS = 30_000

/** Resolves when all is reported and closed. */
export async function runAgent(run: AgentRun): Promise<Ending> {
  const { settings, connections, log } = run
  const { instance, origin, events } = connections
  const ending = await attempt()
  // Only a VM that the manager made knows these settings: never power off somebody's own computer.
  const managed = settings.idleShutdownSeconds !== undefined || settings.maxInstanceLifetimeSeconds !== undefined
  if (managed && instance !== undefined && ending.kind !== 'done' && ending.kind !== 'preempted' && !bySignal(ending)) {
    log.info(`Powering this VM off: ${reasonOf(ending)}.`)
    await bounded(instance.powerOff(), POWER_OFF_MS)
  }
  await connections.close()
  return ending

  /** What cannot start ends like what has failed on the way: one sentence, one event. */
  async function attempt(): Promise<Ending> {
    try {
      return await work(run)
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

async function work({ settings, connections, log, policy, started, signals, ...run }: AgentRun): Promise<Ending> {
  const program = run.program()
  const slotCount = settings.slotCount ?? (settings.vcpuCount || 1)
  const queue = await connections.openTasks()
  const { queueName, eventQueue, eventsToFile, instance, origin } = connections
  const observers = await openObservers({ settings, slotCount, origin, log })
  const agent = startAgent({
    ...connections,
    settings,
    slotCount,
    program,
    workerData: workerData(settings, { queueName, slotCount, eventsToQueue: eventQueue !== undefined, eventsToFile }),
    queue,
    log,
    heard: observers.heard,
    ...(policy && { policy }),
  })
  observers.watch(agent)
  const over = new AbortController()
  const { signal } = over
  const unlisten = signals ? stopOnSignals(agent, { graceSeconds: settings.shutdownGraceSeconds, log }) : () => {}
  let fileProblem: unknown
  if (isFileQueue(queue)) {
    queue.exhausted
      .catch((error: unknown) => {
        fileProblem = error
      })
      .finally(() => agent.stop({ kind: 'done' }))
  }
  log.info(
    `Running ${program.name} in ${slotCount} slot${slotCount === 1 ? '' : 's'} on ${connections.source || queue.name}.`,
  )
  started?.(agent)
  const watchers = [
    watchNotices({ instance: settings.spot ? instance : undefined, settings, log, signal, stop: agent.stop }),
    keepAlive({ queue: eventQueue, origin, intervalSeconds: settings.keepaliveIntervalSeconds, log, signal }),
  ]
  const ending = await agent.stopped
  over.abort()
  await Promise.all([...watchers, observers.close()])
  unlisten()
  if (fileProblem !== undefined) throw fileProblem
  if (ending.kind === 'fatal') log.error(ending.sentence)
  else log.info(`Stopped: ${reasonOf(ending)}.`)
  return ending
}

/** Returns how to stop listening. */
function stopOnSignals(agent: Agent, { graceSeconds, log }: { readonly graceSeconds: number; readonly log: Log }) {
  let told = false
  const onSignal = (name: NodeJS.Signals, number: number) => {
    if (told) {
      agent.killNow()
      process.exit(128 + number)
    }
    told = true
    log.warning(`${name}: stopping; running tasks have ${graceSeconds} s. Once more to stop at once.`)
    agent.stop({ kind: 'shutdown', finishByMs: performance.now() + graceSeconds * 1000, because: 'signal' })
  }
  const onInt = () => onSignal('SIGINT', 2)
  const onTerm = () => onSignal('SIGTERM', 15)
  process.on('SIGINT', onInt).on('SIGTERM', onTerm)
  return () => void process.off('SIGINT', onInt).off('SIGTERM', onTerm)
}

function bySignal(ending: Ending): boolean {
  return ending.kind === 'shutdown' && ending.because === 'signal'
}
