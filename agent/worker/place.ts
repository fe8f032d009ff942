// Where this code runs: in the program that the user started, or in a process or thread that was started to run its tasks.
// A script that is run again to be a task process finds out here.
import { isMainThread, MessagePort, workerData } from 'node:worker_threads'
import { openRunnerChannel } from '../runner-channel.ts'
import { openTaskLoop, type TaskLoop } from '../task-loop.ts'
import { openPortChannel } from './port-channel.ts'

/** Environment variable of a task process: the number of the worker in its script whose tasks it runs. */
export const PLACE_VARIABLE = 'CLOUD_TASKS_WORKER_NUMBER'

/** What a task thread is started with. */
export interface ThreadPlace {
  readonly cloudTasksPort: MessagePort
  readonly workerNumber: number
}

const thread = isMainThread ? undefined : parseThreadPlace(workerData)
const marked = process.env[PLACE_VARIABLE]
delete process.env[PLACE_VARIABLE] // what a task starts is no task process

/** The worker that this place runs tasks for, counted from 1 in the order of construction; undefined = this is the program itself. */
export const workerNumberHere: number | undefined =
  thread?.workerNumber ?? (marked === undefined ? undefined : Number(marked))

/** Only in a place for tasks, and only once. */
export function openPlace(): TaskLoop {
  const loop =
    thread === undefined
      ? openTaskLoop(onLine => openRunnerChannel({ input: 3, output: 4 }, onLine), { log: 1 })
      : openTaskLoop(onLine => openPortChannel(thread.cloudTasksPort, onLine))
  process.on('exit', loop.exiting)
  return loop
}

function parseThreadPlace(data: unknown): ThreadPlace | undefined {
  if (typeof data !== 'object' || data === null || !('cloudTasksPort' in data) || !('workerNumber' in data))
    return undefined
  const { cloudTasksPort, workerNumber } = data
  return cloudTasksPort instanceof MessagePort && typeof workerNumber === 'number'
    ? { cloudTasksPort, workerNumber }
    : undefined
}
