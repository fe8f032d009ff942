// Where this code runs: in the program that the user started, or in a process or thread that was started to run its tasks.
// A script that is run again to be a task process finds out here.
import { writeSync } from 'node:fs'
import { isMainThread, MessagePort, workerData } from 'node:worker_threads'
import { loopIsOffered, takeLoop } from '../offered-loop.ts'
import { openRunnerChannel } from '../runner-channel.ts'
import { openTaskLoop, type TaskChannel, type TaskLoop } from '../task-loop.ts'
import { openPortChannel } from './port-channel.ts'

/** Environment variable of a task process: the number of the worker in its script whose tasks it runs. */
export const PLACE_VARIABLE = 'CLOUD_TASKS_WORKER_NUMBER'

/** What a task thread is started with. */
export interface ThreadPlace {
  readonly cloudTasksPort: MessagePort
  readonly workerNumber: number
  /** Descriptor of the file that tasks print to; descriptors are those of the whole program. */
  readonly log: number | 'inherit'
}

const thread = isMainThread ? undefined : parseThreadPlace(workerData)
const marked = process.env[PLACE_VARIABLE]
delete process.env[PLACE_VARIABLE] // what a task starts is no task process

let opened = false

/**
 * The worker that this place runs tasks for, counted from 1 in the order of construction; undefined = this is the program
 * itself, or tasks run here already.
 */
export function workerNumberHere(): number | undefined {
  if (opened) return undefined
  if (thread !== undefined) return thread.workerNumber
  return marked !== undefined ? Number(marked) : loopIsOffered() ? 1 : undefined
}

/** Only in a place for tasks, and only once. */
export function openPlace(): TaskLoop {
  opened = true
  const offered = takeLoop()
  if (offered !== undefined) return offered
  const loop = thread === undefined ? openTaskLoop(openProcessChannel, { log: STDOUT }) : openThread(thread)
  process.on('exit', loop.exiting)
  return loop
}

const STDOUT = 1

function openProcessChannel(onLine: (line: string) => void): TaskChannel {
  return openRunnerChannel({ input: 3, output: 4 }, onLine)
}

function openThread({ cloudTasksPort, log }: ThreadPlace): TaskLoop {
  const openChannel = (onLine: (line: string) => void) => openPortChannel(cloudTasksPort, onLine)
  if (log === 'inherit') return openTaskLoop(openChannel)
  // What a thread prints would otherwise arrive after its answer.
  const print = (chunk: string | Uint8Array) =>
    writeSync(log, typeof chunk === 'string' ? Buffer.from(chunk) : chunk) > 0
  process.stdout.write = print
  process.stderr.write = print
  return openTaskLoop(openChannel, { log })
}

function parseThreadPlace(data: unknown): ThreadPlace | undefined {
  if (typeof data !== 'object' || data === null || !('cloudTasksPort' in data)) return undefined
  return data.cloudTasksPort instanceof MessagePort ? (data as ThreadPlace) : undefined // made by thread-place.ts
}
