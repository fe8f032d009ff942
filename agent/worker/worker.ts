// The Worker: a function, a subclass or a TaskQueue's functions, run on tasks with everything that the agent does for them.
// Written down here is only what users call; the work is that of the agent.
import { messageOf, UserError } from '../../core/errors.ts'
import type { JsonObject } from '../../core/task.ts'
import type { Delivery } from '../../infra/provider.ts'
import type { Agent } from '../agent.ts'
import type { Log } from '../log.ts'
import type { TaskFunction as AnyTaskFunction, TaskHandler } from '../task-loop.ts'
import type { TaskWorker } from '../task-worker.ts'
import { type AttemptListener, attemptListener } from './attempt-listener.ts'
import { namedTask } from './named-task.ts'
import type { Packing } from './packing.ts'
import { openPlace, workerNumberHere } from './place.ts'
import type { Result } from './result.ts'
import { DEFAULT_BATCH, runWorker } from './run-worker.ts'
import { Backend } from './sqlite-backend.ts'
import { type Middleware, taskHandler } from './task-handler.ts'
import { type Task, TaskQueue, taskOf } from './task-queue.ts'
import type { WorkerMetrics, WorkerStatus } from './worker-metrics.ts'
import type { QueueWorkerOptions, WorkerOptions } from './worker-options.ts'

/**
 * What is done with a task. Returns `[retry, result]`, or just the result, which means `[false, result]`; may be
 * asynchronous. What it throws is the task's exception; `retryable` on it decides about another attempt.
 */
export type TaskFunction<Data = JsonObject> = (taskId: string, taskData: Data, worker: TaskWorker) => unknown

/** A TaskQueue or its backend. */
interface AnswerSource<Answer> {
  result(taskId: string): Promise<Answer>
}

export interface Health {
  /** Anything but `healthy` is logged as a warning. */
  readonly status: string
}

let workerCount = 0 // in this program; the script run again counts the same

/** `Answer`: what `processTask` resolves to. */
export class Worker<Answer = unknown> {
  readonly #number = ++workerCount
  readonly #run: AnyTaskFunction | undefined
  readonly #taskQueue: TaskQueue | undefined
  readonly #options: WorkerOptions & QueueWorkerOptions
  readonly #routes = new Map<string, AnyTaskFunction>()
  readonly #middleware: Middleware[] = []
  readonly #listener: AttemptListener
  #agent: Agent | undefined
  #log: Log | undefined
  #graceMs = 0
  #queueName: string | undefined
  /** Until the agent has ended; what is done afterwards may wait for it. */
  #working: Promise<void> | undefined
  #stopAsked = false
  #shutDown = false
  #turn: Promise<unknown> = Promise.resolve()

  /** Runs the functions that tasks of this queue name. */
  constructor(queue: AnswerSource<Answer>, options?: QueueWorkerOptions)
  /** Runs one function on every task. Its script is run again in each task process, up to `start`. */
  constructor(processTask: TaskFunction, options?: WorkerOptions)
  constructor(processTask: TaskFunction<never>, options?: WorkerOptions)
  /** For subclasses with a `processTask`. */
  constructor(options?: WorkerOptions)
  constructor(
    what: AnswerSource<Answer> | TaskFunction<never> | WorkerOptions = {},
    options: WorkerOptions & QueueWorkerOptions = {},
  ) {
    this.#options = options
    if (what instanceof TaskQueue) this.#taskQueue = what
    else if (what instanceof Backend) this.#taskQueue = new TaskQueue({ backend: what })
    else if (typeof what === 'function') this.#run = (id, data, worker) => what(id, data as never, worker)
    else if (!('result' in what)) this.#options = what
    this.#queueName = this.#options.queueName ?? this.#options.jobId
    this.#listener = attemptListener(this.#options, { packing: this.#packing(), stop: () => void this.stop() })
  }

  /** Of a worker that was made with one. */
  get queue(): TaskQueue {
    if (this.#taskQueue !== undefined) return this.#taskQueue
    throw new Error('This worker was not made with a TaskQueue.')
  }

  /** Name of the queue that tasks come from, once it is known. */
  get queueName(): string | undefined {
    return this.#queueName
  }

  /** Runs around every task, in the order of the calls. For a TaskQueue's worker only where tasks run `inline`. */
  use(middleware: Middleware): this {
    this.#middleware.push(middleware)
    return this
  }

  /** Runs tasks with this `type` by a function of their own. */
  route(type: string, run: TaskFunction<never>): this {
    this.#routes.set(type, (id, data, worker) => run(id, data as never, worker))
    return this
  }

  /**
   * Works until it is stopped, or all is done where there is an end. A worker of a job prints what is wrong with its options
   * and sets the exit code; a TaskQueue's worker rejects. In a task process this call never returns: it runs the tasks.
   */
  async start(): Promise<void> {
    await this.#start({ signals: this.#taskQueue === undefined })
  }

  /** As `start`, but SIGINT and SIGTERM stop it in any case, and so does the end of `duration` seconds. */
  async run({ duration }: { readonly duration?: number } = {}): Promise<void> {
    const timer = duration === undefined ? undefined : setTimeout(() => void this.stop(), duration * 1000)
    await this.#start({ signals: true }).finally(() => clearTimeout(timer))
  }

  /** Takes no more tasks, lets running ones finish within `gracefulShutdown` seconds, hands back the rest. */
  async stop(): Promise<void> {
    this.#stopAsked = true
    this.#agent?.stop({ kind: 'shutdown', finishByMs: performance.now() + this.#graceMs, because: 'signal' })
    await this.#working
  }

  /** To be overridden: cleans up. Called at the end in the program that started the worker. */
  async shutdown(): Promise<void> {
    this.#shutDown = true
    await this.stop()
  }

  /** To be overridden: looked at every `--keepalive-interval`; what is not healthy is logged. */
  async healthCheck(): Promise<Health> {
    return { status: 'healthy', queueName: this.#queueName, ...this.getStatus() } as Health
  }

  /**
   * In a subclass: what is done with a task. Of a TaskQueue's worker: runs this task of the queue now, unless another worker
   * is at it already, and resolves when it has ended.
   */
  async processTask(taskId: string, ..._taskDataAndWorker: never[]): Promise<Answer> {
    if (this.#taskQueue === undefined) throw new Error('A subclass of Worker must have a method processTask.')
    const [result] = await this.processTasks([taskId])
    return result as Answer // which is what a TaskQueue makes it
  }

  /** Resolves to the results in the order of the ids. */
  async processTasks(taskIds: readonly string[]): Promise<readonly Result[]> {
    const turn = this.#turn.then(() => this.#processNow(taskIds))
    this.#turn = turn.catch(() => {})
    return turn
  }

  /** To be overridden: false leaves the task to other workers of the queue. */
  shouldProcessTask(_task: Task): boolean | Promise<boolean> {
    return true
  }

  getStatus(): WorkerStatus {
    const running = this.#agent?.running() ?? []
    const { processed: tasksProcessed, failed: tasksFailed, lastTaskAt } = this.#listener.counters
    return {
      isRunning: this.#agent !== undefined,
      tasksProcessed,
      tasksFailed,
      currentTaskId: running[0],
      currentTaskIds: running,
      uptime: this.#listener.counters.uptime(),
      lastTaskAt,
    }
  }

  getMetrics(): WorkerMetrics {
    return this.#listener.counters.metrics()
  }

  // ---- how it works

  async #start({ signals }: { readonly signals: boolean }): Promise<void> {
    const here = workerNumberHere()
    if (here !== undefined) {
      if (here !== this.#number || this.#taskQueue !== undefined) return // this place is for another worker of the script
      openPlace().start(this.#handler())
      return new Promise(() => {})
    }
    const standalone = this.#taskQueue === undefined
    try {
      await this.#work({ signals })
    } catch (error) {
      if (!standalone || !(error instanceof UserError)) throw error
      process.stderr.write(`${error.message}\n`)
      process.exitCode = error.exitCode
    }
    if (standalone && !this.#shutDown) await this.shutdown()
  }

  #work({ signals, only }: { readonly signals: boolean; readonly only?: ReadonlySet<string> }): Promise<void> {
    if (this.#working !== undefined) throw new Error('This worker runs already.')
    this.#stopAsked = false
    let health: NodeJS.Timeout | undefined
    const work = async () => {
      const ending = await runWorker({
        options: this.#options,
        workerNumber: this.#number,
        taskQueue: this.#taskQueue,
        handler: () => this.#handler(),
        wants: this.#wants(only),
        signals,
        hear: this.#listener.hear,
        started: (agent, { settings, log }) => {
          this.#agent = agent
          this.#log = log
          this.#listener.begin(log)
          this.#graceMs = settings.shutdownGraceSeconds * 1000
          this.#queueName = settings.queueName ?? settings.jobId ?? this.#queueName
          const { keepaliveIntervalSeconds: seconds } = settings
          if (this.healthCheck !== Worker.prototype.healthCheck && seconds > 0)
            health = setInterval(() => void this.#lookAtHealth(), seconds * 1000)
          if (this.#stopAsked) void this.stop()
        },
      })
      if (ending.kind !== 'fatal') return
      if (this.#taskQueue !== undefined) throw new UserError(ending.sentence)
      process.exitCode = 1
    }
    this.#working = work().finally(() => {
      clearInterval(health)
      this.#agent = this.#working = undefined
      this.#listener.end()
    })
    return this.#working
  }

  #handler(): TaskHandler {
    const { returns = 'retry', processBatch, batchSize = DEFAULT_BATCH, maxCpuPercent } = this.#options
    return taskHandler({
      run: this.#ownFunction(),
      routes: this.#routes,
      middleware: this.#middleware,
      returns,
      batch: processBatch && { size: batchSize, run: processBatch },
      maxCpuPercent,
    })
  }

  #ownFunction(): AnyTaskFunction | undefined {
    const queue = this.#taskQueue
    if (queue !== undefined) {
      return namedTask(name => queue.backend.functions.get(name), 'known to this worker', this.#packing())
    }
    if (this.#run !== undefined) return this.#run
    if (this.processTask === Worker.prototype.processTask) return undefined
    return (taskId, data, worker) => this.processTask(taskId, data as never, worker as never)
  }

  /** What the worker says of it beats what its queue says. */
  #packing(): Packing {
    return { ...this.#taskQueue?.packing, ...this.#options }
  }

  #wants(only: ReadonlySet<string> | undefined): ((delivery: Delivery) => Promise<boolean>) | undefined {
    const queue = this.#taskQueue
    const choosy = this.shouldProcessTask !== Worker.prototype.shouldProcessTask
    if (queue === undefined || (only === undefined && !choosy)) return undefined
    return async ({ body }) => {
      const task = taskOf(body, this.#packing())
      return only === undefined ? this.shouldProcessTask(task) : only.has(task.taskId)
    }
  }

  async #processNow(taskIds: readonly string[]): Promise<readonly Result[]> {
    await Promise.all(taskIds.map(taskId => this.queue.getTask(taskId))) // before anything is started for one that is not there
    const over = new AbortController()
    const { signal } = over
    const results = Promise.all(taskIds.map(taskId => this.queue.result(taskId, { signal })))
    if (this.#agent !== undefined) return results
    const working = this.#work({ signals: false, only: new Set(taskIds) })
    try {
      return await Promise.race([results, working.then(() => results)])
    } finally {
      await this.stop()
      over.abort()
    }
  }

  async #lookAtHealth(): Promise<void> {
    const health = await this.healthCheck().catch((error: unknown) => ({ status: messageOf(error) }))
    if (health.status !== 'healthy') this.#log?.warning(`This worker is not healthy: ${health.status}.`)
  }
}
