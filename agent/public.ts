// What `import … from 'cloud-tasks'` gives.
export { TaskFailed } from '../core/errors.ts'
export type { Json, JsonObject, Priority } from '../core/task.ts'
export type { BatchTask } from './task-loop.ts'
export type { TaskWorker } from './task-worker.ts'
export type { Deserializer, Packing, Serializer } from './worker/packing.ts'
export { Result, type ResultFields } from './worker/result.ts'
export { type AwaitOptions, Backend, sqlite } from './worker/sqlite-backend.ts'
export { TaskError } from './worker/task-error.ts'
export type { Middleware, TaskCall } from './worker/task-handler.ts'
export {
  type AnyFunction,
  type Functions,
  Task,
  type TaskFields,
  TaskQueue,
  type TaskQueueOptions,
} from './worker/task-queue.ts'
export { type Health, type TaskFunction, Worker } from './worker/worker.ts'
export type { WorkerMetrics, WorkerStatus } from './worker/worker-metrics.ts'
export type {
  ListenOptions,
  LogLevel,
  QueueWorkerOptions,
  RunOptions,
  SourceOptions,
  SourceTask,
  TaskSource,
  WorkerLogger,
  WorkerOptions,
} from './worker/worker-options.ts'
