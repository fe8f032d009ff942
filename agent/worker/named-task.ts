// Runs a task of a TaskQueue: finds the function that it names and calls it with its arguments.
import type { TaskFunction } from '../task-loop.ts'
import { type Packing, packResult, unpackValue } from './packing.ts'
import { TaskError } from './task-error.ts'

export type FindFunction = (name: string) => ((...args: never[]) => unknown) | undefined

/** `where` ends the sentence for a name that is not found: `exported by ./tasks.ts`. */
export function namedTask(find: FindFunction, where: string, packing: Packing): TaskFunction {
  return async (_taskId, data, { taskType = '' }) => {
    const run = find(taskType)
    if (run === undefined) throw new TaskError(`No function "${taskType}" is ${where}.`, 'UnknownTask', false)
    const value = await run(...(argumentsOf(data, packing) as never[])) // whoever enqueued it has answered for the types
    return [false, packResult(value, packing)] // as a pair, so that a value that is one means nothing
  }
}

function argumentsOf(data: unknown, packing: Packing): readonly unknown[] {
  const packed = typeof data === 'object' && data !== null && 'args' in data ? data.args : undefined
  const args = unpackValue(packed, packing)
  if (Array.isArray(args)) return args
  throw new TaskError('The task was not made by a TaskQueue: its data has no "args".', 'UnknownTask', false)
}
