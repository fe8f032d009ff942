// Runs a worker's tasks with the machinery of the agent, from its options to its end.
import type { AttemptEvent } from '../../core/task-event.ts'
import type { Delivery } from '../../infra/provider.ts'
import type { Agent } from '../agent.ts'
import { renderHelp } from '../command-line.ts'
import { type Connections, isFileQueue, openConnections } from '../connections.ts'
import type { Ending } from '../ending.ts'
import type { Log } from '../log.ts'
import { runAgent } from '../run-agent.ts'
import type { TaskHandler } from '../task-loop.ts'
import { type Choice, chosenQueue } from './chosen-queue.ts'
import { observedSink } from './observed-sink.ts'
import { openSource } from './source-tasks.ts'
import type { TaskQueue } from './task-queue.ts'
import { workerLog } from './worker-log.ts'
import type { QueueWorkerOptions, WorkerOptions } from './worker-options.ts'
import { workerProgram } from './worker-program.ts'
import { type WorkerSettings, workerSettings } from './worker-settings.ts'

export interface WorkerRun {
  readonly options: WorkerOptions & QueueWorkerOptions
  readonly workerNumber: number
  /** undefined = tasks come from where options, command line or environment say. */
  readonly taskQueue: TaskQueue | undefined
  readonly handler: () => TaskHandler
  readonly wants: ((delivery: Delivery) => Promise<boolean>) | undefined
  readonly signals: boolean
  readonly hear: (event: AttemptEvent) => void
  readonly started: (agent: Agent, about: { readonly settings: WorkerSettings['settings']; readonly log: Log }) => void
}

/** Resolves when all is reported. Rejects with a UserError for what was told wrongly; `done` at once when only help was asked for. */
export async function runWorker(run: WorkerRun): Promise<Ending> {
  const { options, taskQueue, hear, wants, started, signals } = run
  const source = options.taskSource === undefined ? undefined : openSource(options.taskSource)
  const args = options.args ?? (taskQueue === undefined ? process.argv.slice(2) : [])
  const env = taskQueue === undefined ? process.env : {}
  const { settings: told, policy, verbose, ask } = await workerSettings(options, args, env)
  if (ask !== 'run') {
    process.stdout.write(renderHelp())
    return { kind: 'done' }
  }
  const log = workerLog(
    options.logger,
    options.logLevel ?? (verbose ? 'debug' : taskQueue === undefined ? 'info' : 'warn'),
  )
  const settings = typeof source === 'string' ? { ...told, taskFile: source } : told
  const connections: Connections =
    taskQueue === undefined
      ? await openConnections(settings, env, typeof source === 'string' ? undefined : source)
      : await taskQueue.backend.connections({ leaseSeconds: settings.leaseSeconds, workerId: options.workerId })
  const choice: Choice = { pollSeconds: options.pollInterval, ...(wants && { wants }) }
  return runAgent({
    settings,
    policy,
    log,
    signals,
    connections: {
      ...connections,
      async openTasks() {
        const queue = await connections.openTasks()
        return isFileQueue(queue) ? queue : chosenQueue(queue, choice)
      },
      events: observedSink(connections.events, hear),
    },
    program: () =>
      workerProgram({
        workerType: options.workerType ?? (taskQueue === undefined ? 'process' : 'inline'),
        workerNumber: run.workerNumber,
        handler: run.handler,
        tasks: taskQueue === undefined ? undefined : { module: options.tasks },
        batchSize: options.processBatch === undefined ? undefined : (options.batchSize ?? DEFAULT_BATCH),
        maxMemoryGb: settings.maxMemoryPerTaskGb,
        maxCpuPercent: options.maxCpuPercent,
      }),
    started: agent => started(agent, { settings, log }),
  })
}

export const DEFAULT_BATCH = 10
