// Everything that a worker can be told, in whatever way it is written. Times are seconds.
import type { Task as FileTask } from '../../core/task.ts'
import type { BatchTask } from '../task-loop.ts'
import type { TaskWorker } from '../task-worker.ts'
import type { Packing } from './packing.ts'

/** One item of a task source, as in a task file. */
export interface SourceTask {
  readonly task_id: string
  readonly data: Readonly<Record<string, unknown>>
  readonly type?: string
  readonly priority?: FileTask['priority']
  /** ISO-8601. */
  readonly not_before?: string
}

/** A file or URL as `--task-file` takes it, or the tasks themselves. */
export type TaskSource =
  | string
  | URL
  | Iterable<SourceTask>
  | AsyncIterable<SourceTask>
  | (() => Iterable<SourceTask> | AsyncIterable<SourceTask>)

/** `console` is one. */
export interface WorkerLogger {
  debug(text: string): void
  info(text: string): void
  warn(text: string): void
  error(text: string): void
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Where tasks come from. A command line or the environment can say the same; what is written here wins. */
export interface SourceOptions {
  /** `local`, `aws`, `gcp` or `azure`. */
  readonly provider?: string
  readonly queueName?: string
  readonly jobId?: string
  readonly region?: string
  readonly projectId?: string
  /** A job file: settings that nothing else gives are taken from it. */
  readonly configFile?: string
  /** Instead of a queue: the worker ends when all are done. */
  readonly taskSource?: TaskSource
  /** Options of `cloud-tasks-agent`, usually `process.argv.slice(2)`, which is the default. */
  readonly args?: readonly string[]
  /** Seconds between two looks at an empty queue. Default: the queue says when there is something. */
  readonly pollInterval?: number
  /** Tasks that run at once; with `processBatch`, tasks of one call. */
  readonly batchSize?: number
  /** Seconds for which a task is hidden from others; kept up while it runs, so this is what a lost VM costs. Default 60. */
  readonly visibilityTimeout?: number
}

/** How tasks run. */
export interface RunOptions {
  /**
   * `process`: a process for each place, the safest; the script is run again in it. `thread`: cheaper to start, and can be
   * killed too. `inline`: in this program, for tasks that mostly wait. Default: `process`; for a `TaskQueue`, `inline`.
   */
  readonly workerType?: 'inline' | 'thread' | 'process'
  /** Tasks that run at once. Default: `--num-simultaneous-tasks`, or the number of CPUs it was told, or 1. */
  readonly maxWorkers?: number
  /** Ends after this many tasks. */
  readonly maxTasks?: number
  /** Seconds that a task may run. Default 3600. */
  readonly timeout?: number
  /** Whether a task that threw, exited or ran too long is tried again. */
  readonly retryFailed?: boolean
  /** Further attempts after a failure; implies `retryFailed`. Default 9. */
  readonly maxRetries?: number
  /** Seconds before each further attempt. Default: 0, then 1, 2, 4 … 60. */
  readonly retryDelay?: number
  /** `false`: the worker ends when a task has failed for good. Default `true`. */
  readonly continueOnError?: boolean
  /** Megabytes (2²⁰ bytes) that a task may hold in a process or thread; more ends it, and it is not tried again. */
  readonly maxMemoryMb?: number
  /** Share of one CPU core that each place may use: it rests after work. */
  readonly maxCpuPercent?: number
  /** Seconds that running tasks get when the worker is stopped. Default 30. */
  readonly gracefulShutdown?: number
  /** What a pair of a boolean and a result means: `[retry, result]` (default), or `[success, result]`. */
  readonly returns?: 'retry' | 'success'
  /** Runs up to `batchSize` tasks together. Resolves to one result a task, in order; an Error fails its task. */
  readonly processBatch?: (tasks: readonly BatchTask[], worker: TaskWorker) => PromiseLike<readonly unknown[]>
  /** In events, as `instance_id`. */
  readonly workerId?: string
}

/** What is heard of the worker. Callbacks run in the program that started it, after the result is stored. */
export interface ListenOptions {
  /** After each failed attempt, whether or not another follows; `attempt` counts from 1. */
  readonly onError?: (taskId: string, error: Error, attempt: number) => void
  readonly onSuccess?: (taskId: string, result: unknown) => void
  /** Default: lines on stderr. */
  readonly logger?: WorkerLogger
  /** The least that is logged. Default: `info`; for a `TaskQueue`, `warn`. */
  readonly logLevel?: LogLevel
  /** Logs each task that ends. */
  readonly logTasks?: boolean
  /** Logs each failure with its stack. */
  readonly logErrors?: boolean
  /** Logs, at the end, how much was done how fast. */
  readonly logPerformance?: boolean
}

export interface WorkerOptions extends SourceOptions, RunOptions, ListenOptions {}

export interface QueueWorkerOptions extends RunOptions, ListenOptions, Packing {
  readonly pollInterval?: number
  readonly visibilityTimeout?: number
  /** Module that exports the functions, for `thread` and `process`: they cannot see this program's. May export `serializer` and `deserializer`. */
  readonly tasks?: string | URL
}
