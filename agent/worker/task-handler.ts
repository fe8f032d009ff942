// What a worker does with one task: its own function or the one for the task's type, inside its middleware, with the meaning
// that its answers have. Runs wherever tasks run.
import { TaskFailed, UserError } from '../../core/errors.ts'
import type { BatchTask, TaskFunction, TaskHandler } from '../task-loop.ts'
import type { TaskWorker } from '../task-worker.ts'

/** A task on its way through middleware. */
export interface TaskCall extends BatchTask {
  readonly worker: TaskWorker
}

/** Returns the answer, usually that of `next`; may change it, throw, or answer without calling `next`. */
export type Middleware = (task: TaskCall, next: () => Promise<unknown>) => unknown

export interface HandlerParts {
  /** For tasks without a route; undefined = there must be one. */
  readonly run: TaskFunction | undefined
  readonly routes: ReadonlyMap<string, TaskFunction>
  /** The first one is outermost. */
  readonly middleware: readonly Middleware[]
  readonly returns: 'retry' | 'success'
  readonly batch: TaskHandler['batch']
  readonly maxCpuPercent: number | undefined
}

export function taskHandler({ run, routes, middleware, returns, batch, maxCpuPercent }: HandlerParts): TaskHandler {
  if (run === undefined && routes.size === 0 && batch === undefined) {
    throw new UserError('This worker has nothing to run: give it a function, or write processTask in a subclass.')
  }
  let handle: TaskFunction = routes.size === 0 && run !== undefined ? run : routed(run, routes)
  if (returns === 'success') handle = meaningSuccess(handle)
  if (middleware.length > 0) handle = inside(middleware, handle)
  return {
    run: handle,
    ...(batch && { batch }),
    ...(maxCpuPercent === undefined ? undefined : { maxCpuPercent }),
  }
}

function routed(fallback: TaskFunction | undefined, routes: HandlerParts['routes']): TaskFunction {
  return (taskId, data, worker) => {
    const run = routes.get(worker.taskType ?? '') ?? fallback
    if (run === undefined) throw new TaskFailed(noRoute(worker.taskType, routes), { retryable: false })
    return run(taskId, data, worker)
  }
}

function noRoute(type: string | undefined, routes: HandlerParts['routes']): string {
  const known = [...routes.keys()].join(', ')
  return type === undefined
    ? `The task has no type, and this worker only runs tasks of type ${known}.`
    : `No route for tasks of type "${type}"; this worker knows ${known}.`
}

/** `[true, result]` = done, `[false, message]` = failed. */
function meaningSuccess(run: TaskFunction): TaskFunction {
  return async (taskId, data, worker) => {
    const answer = await run(taskId, data, worker)
    if (!Array.isArray(answer) || answer.length !== 2 || typeof answer[0] !== 'boolean') {
      throw new TypeError(
        'The task must return [success, result], because its worker was made with returns: "success".',
      )
    }
    const [success, result] = answer
    if (success) return [false, result]
    // Without a stack: the message is all that the task wanted to say.
    throw Object.assign(new Error(String(result)), { stack: `TaskFailed: ${String(result)}` })
  }
}

function inside(middleware: readonly Middleware[], run: TaskFunction): TaskFunction {
  return (taskId, taskData, worker) => {
    const task: TaskCall = { taskId, taskData, taskType: worker.taskType, attempt: worker.attempt, worker }
    const from = async (index: number): Promise<unknown> => {
      const layer = middleware[index]
      return layer === undefined ? run(taskId, taskData, worker) : layer(task, () => from(index + 1))
    }
    return from(0)
  }
}
