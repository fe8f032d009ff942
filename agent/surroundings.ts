// The `worker` object that task functions get: what the agent has said of itself, of the end, and of the task at hand.
import type { Json } from '../core/task.ts'
import { carriedJson } from './carried-json.ts'
import type { TaskChannel } from './task-loop.ts'
import type { TaskWorker } from './task-worker.ts'

/** A task as it arrives: see docs/protocol.md. */
export interface TaskLine {
  readonly task_id: string
  readonly data: unknown
  readonly type?: string
  readonly attempt?: number
  readonly checkpoint?: Json
}

export interface Surroundings {
  /** One for all tasks, because they run one after another. */
  readonly worker: TaskWorker
  /** A control line. */
  hear(line: string): void
  begin(task: TaskLine, quotedId: string): void
}

export function openSurroundings(channel: TaskChannel): Surroundings {
  let task: TaskLine | undefined
  let quotedId = '""'
  let checkpoint: Json | undefined
  let termination: { readonly atMs: number } | undefined
  let shutdown = false

  const properties: PropertyDescriptorMap = {
    attempt: { enumerable: true, get: () => task?.attempt ?? 1 },
    checkpoint: { enumerable: true, get: () => checkpoint },
    taskType: { enumerable: true, get: () => task?.type },
    receivedTerminationNotice: { enumerable: true, get: () => channel.poll() && termination !== undefined },
    receivedShutdownRequest: { enumerable: true, get: () => channel.poll() && shutdown },
    secondsUntilTermination: {
      enumerable: true,
      get: () => (channel.poll() && termination ? Math.max(0, (termination.atMs - Date.now()) / 1000) : undefined),
    },
    saveCheckpoint: {
      value: (value: Json) => {
        checkpoint = value
        channel.write(`{"task_id":${quotedId},"checkpoint":${carriedJson(value, 'The checkpoint')}}`)
        channel.flush()
      },
    },
    progress: {
      value: (fraction: number, note?: string) => {
        channel.write(`{"task_id":${quotedId},"progress":${Number(fraction)},"note":${JSON.stringify(note ?? '')}}`)
        channel.flush()
      },
    },
  }
  const worker = Object.defineProperties({}, properties) as TaskWorker

  return {
    worker,
    hear(line) {
      const message: Control = JSON.parse(line)
      if (message.control === 'hello') Object.assign(worker, camelised(message.worker ?? {}))
      else if (message.control === 'shutdown') shutdown = true
      else if (message.control === 'terminate')
        termination = { atMs: Date.now() + (message.deadline_seconds ?? 0) * 1000 }
      // A newer agent may say more.
    },
    begin(next, quoted) {
      task = next
      quotedId = quoted
      checkpoint = next.checkpoint
    },
  }
}

interface Control {
  readonly control: string
  readonly worker?: Readonly<Record<string, Json>>
  readonly deadline_seconds?: number
}

function camelised(data: Readonly<Record<string, Json>>): Record<string, Json | undefined> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value ?? undefined,
    ]),
  )
}
