// Runs the tasks of one place, one after another, and answers them: the same in a process, in a thread and in the agent's own
// program. Knows lines and functions; nothing of queues, nor of what carries the lines.
// Answers are written at most about a millisecond after they are known, and always before the process exits on its own, so
// the agent knows exactly which task a dead process was at.
import { carriedJson } from './carried-json.ts'
import { openSurroundings, type TaskLine } from './surroundings.ts'
import type { TaskWorker } from './task-worker.ts'
import { openUsageMeter } from './usage-meter.ts'

export type TaskFunction = (taskId: string, data: unknown, worker: TaskWorker) => unknown

/** One task as a batch function sees it. */
export interface BatchTask {
  readonly taskId: string
  readonly taskData: unknown
  readonly taskType: string | undefined
  readonly attempt: number
}

export interface TaskHandler {
  readonly run: TaskFunction
  /** In place of `run`: up to `size` waiting tasks at once. Resolves to one value a task, in order; an Error fails its task. */
  readonly batch?: {
    readonly size: number
    readonly run: (tasks: readonly BatchTask[], worker: TaskWorker) => PromiseLike<readonly unknown[]>
  }
  /** Rests so long after work that no more than this share of one core is used. */
  readonly maxCpuPercent?: number
}

/** Lines to the agent. Those from it go to the function that the channel was opened with. */
export interface TaskChannel {
  /** Adds a line to what the next flush writes. */
  write(line: string): void
  flush(): void
  /** Flushes if the oldest line waits for longer than a moment. */
  flushIfOld(nowMs: number): void
  /** Flushes when the event loop comes round. */
  flushSoon(): void
  /** Reads what has arrived without waiting for the event loop. Always true, to stand before `&&`. */
  poll(): true
  /** Calls back whenever lines have been read. */
  onLines(callback: () => void): void
}

export interface TaskLoop {
  /** Announces itself, and runs what has come already. */
  start(handler: TaskHandler): void
  /** Instead of `start`: no task can ever run here. */
  refuse(sentence: string): void
  /** To be called when the process or thread exits, in whatever way. */
  exiting(): void
  /** Starts no further task; where a task cannot be killed, this is all that can be done. */
  close(): void
}

const YIELD_AFTER_MS = 5 // between two looks at the channel while short tasks follow one another
const NOTHING = '""' // in place of a task id, between tasks
const RECALL = '{"control":"recall"}'
const REST_FROM_MS = 5 // of CPU: shorter rests would be mostly timer

/** `log`: descriptor of the file that tasks print to, if it is theirs alone. */
export function openTaskLoop(
  openChannel: (onLine: (line: string) => void) => TaskChannel,
  { log }: { readonly log?: number } = {},
): TaskLoop {
  const waiting: string[] = [] // task lines not started yet
  let nextWaiting = 0
  const channel = openChannel(line => {
    if (!line.startsWith('{"control":')) waiting.push(line)
    else if (line !== RECALL) surroundings.hear(line)
    else {
      const ids = waiting.splice(nextWaiting).map(task => JSON.parse(task).task_id)
      channel.write(`{"recalled":${JSON.stringify(ids)}}`)
      channel.flush()
    }
  })
  const surroundings = openSurroundings(channel)
  const { worker } = surroundings

  let handler: TaskHandler | undefined
  let busy = false
  let currentId = NOTHING
  let yieldedMs = 0
  let restedCpuMs = 0
  const usage = openUsageMeter({ log })

  /** Runs what waits, until there is nothing, or a task is asynchronous, or the channel wants a look. */
  function work(): void {
    if (busy || handler === undefined) return
    busy = true
    yieldedMs = usage.start()
    for (;;) {
      const line = waiting[nextWaiting]
      if (line === undefined) break
      const restMs = dueRestMs(handler)
      if (restMs > 0) {
        channel.flush()
        setTimeout(resume, restMs)
        return
      }
      if (handler.batch !== undefined) {
        workBatch(handler.batch)
        return
      }
      nextWaiting++
      const message = JSON.parse(line)
      begin(message)
      try {
        const value = handler.run(message.task_id, message.data, worker)
        if (isPromise(value)) {
          channel.flushSoon()
          value.then(returned, threw).then(resume)
          return
        }
        returned(value)
      } catch (thrown) {
        threw(thrown)
      }
      if (usage.sinceMs() - yieldedMs > YIELD_AFTER_MS) {
        channel.flush()
        setImmediate(resume)
        return
      }
    }
    waiting.length = 0
    nextWaiting = 0
    currentId = NOTHING
    busy = false
    channel.flush()
  }

  function resume(): void {
    busy = false
    work()
  }

  function workBatch({ size, run }: NonNullable<TaskHandler['batch']>): void {
    const messages: TaskLine[] = waiting.slice(nextWaiting, nextWaiting + size).map(line => JSON.parse(line))
    nextWaiting += messages.length
    if (messages[0] !== undefined) begin(messages[0])
    channel.flushSoon()
    const tasks = messages.map(message => ({
      taskId: message.task_id,
      taskData: message.data,
      taskType: message.type,
      attempt: message.attempt ?? 1,
    }))
    run(tasks, worker)
      .then(
        values => (values.length === tasks.length ? values : messages.map(() => wrongCount(tasks, values))),
        (thrown: unknown) => messages.map(() => (thrown instanceof Error ? thrown : new Error(String(thrown)))),
      )
      .then(values => {
        for (const [index, message] of messages.entries()) {
          begin(message)
          const value = values[index]
          if (value instanceof Error) threw(value)
          else returned(value)
        }
      })
      .then(resume)
  }

  function begin(message: TaskLine): void {
    currentId = JSON.stringify(message.task_id)
    surroundings.begin(message, currentId)
  }

  /** `[retry, result]`, or a plain value that means `[false, value]`. */
  function returned(value: unknown): void {
    let retry = false
    let result = value
    if (Array.isArray(value) && value.length === 2 && typeof value[0] === 'boolean') {
      retry = value[0]
      result = value[1]
    }
    let json: string
    try {
      json = carriedJson(result, 'The result')
    } catch (error) {
      threw(error)
      return
    }
    // Key order and spacing are what the agent's fast path compares with: see completedEventRenderer in core/task-event.ts.
    channel.write(`{"task_id":${currentId},"retry":${retry},${usage.lap()},"result":${json}}`)
    channel.flushIfOld(usage.sinceMs())
  }

  function threw(thrown: unknown): void {
    const text = thrown instanceof Error ? (thrown.stack ?? String(thrown)) : `Thrown: ${String(thrown)}`
    const said = typeof thrown === 'object' && thrown !== null && 'retryable' in thrown ? thrown.retryable : undefined
    const retryable = typeof said === 'boolean' ? `,"retryable":${said}` : ''
    channel.write(
      `{"task_id":${currentId},"exception":${JSON.stringify(text)}${retryable},${usage.lap()}${usage.printed()}}`,
    )
    channel.flushIfOld(usage.sinceMs())
  }

  function dueRestMs({ maxCpuPercent }: TaskHandler): number {
    if (maxCpuPercent === undefined) return 0
    const { user, system } = process.threadCpuUsage()
    const usedMs = (user + system) / 1000 - restedCpuMs
    if (usedMs < REST_FROM_MS) return 0
    restedCpuMs += usedMs
    return usedMs * (100 / maxCpuPercent - 1)
  }

  return {
    start(given) {
      handler = given
      channel.write('{"ready":true,"control":true,"pipeline":true}')
      channel.flush()
      channel.onLines(work)
      work()
    },
    refuse(sentence) {
      channel.write(JSON.stringify({ fatal: sentence }))
      channel.flush()
    },
    close() {
      handler = undefined
    },
    exiting() {
      // All that was answered is above: the task after it is the one we died of.
      if (busy) {
        usage.lap()
        channel.write(`{"exiting":true${usage.printed()}}`)
      }
      channel.flush()
    },
  }
}

function wrongCount(tasks: readonly unknown[], values: readonly unknown[]): Error {
  return new TypeError(`A batch of ${tasks.length} tasks must return as many results, in order; got ${values.length}.`)
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
