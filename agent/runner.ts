// Runs inside a task process: loads a task module and reads task lines from descriptor 3 and answers on 4. Knows nothing of queues.
// Tasks run one after another. Answers are written at most about a millisecond after they are known, and always before
// the process exits on its own, so the agent knows exactly which task a dead process was at.
import { flushCompileCache } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Json } from '../core/task.ts'
import { openRunnerChannel } from './runner-channel.ts'
import type { TaskWorker } from './task-worker.ts'

type TaskFunction = (taskId: string, data: unknown, worker: TaskWorker) => unknown

const YIELD_AFTER_MS = 5 // between two looks at the channel while short tasks follow one another
const MEASURE_FROM_MS = 1 // shorter tasks are not worth two system calls

// ---- what the agent says

const waiting: string[] = [] // task lines not started yet
let nextWaiting = 0
let termination: { at: number } | undefined
let shutdown = false
let workerData: Readonly<Record<string, Json>> = {}

const channel = openRunnerChannel({ input: 3, output: 4 }, line => {
  if (line.startsWith('{"control":')) control(JSON.parse(line))
  else waiting.push(line)
})

interface Control {
  readonly control: string
  readonly worker?: Readonly<Record<string, Json>>
  readonly deadline_seconds?: number
}

function control(message: Control): void {
  switch (message.control) {
    case 'hello':
      workerData = message.worker ?? {}
      Object.assign(worker, camelised(workerData))
      return
    case 'shutdown':
      shutdown = true
      return
    case 'terminate':
      termination = { at: Date.now() + (message.deadline_seconds ?? 0) * 1000 }
      return
    case 'recall': {
      const ids = waiting.splice(nextWaiting).map(line => JSON.parse(line).task_id)
      channel.write(`{"recalled":${JSON.stringify(ids)}}`)
      channel.flush()
      return
    }
    default: // a newer agent may say more
  }
}

// ---- the worker object: one for all tasks, because they run one after another

let attempt = 1
let checkpoint: Json | undefined
let currentId = '""'

const ownProperties: PropertyDescriptorMap = {
  attempt: { enumerable: true, get: () => attempt },
  checkpoint: { enumerable: true, get: () => checkpoint },
  receivedTerminationNotice: { enumerable: true, get: () => channel.poll() && termination !== undefined },
  receivedShutdownRequest: { enumerable: true, get: () => channel.poll() && shutdown },
  secondsUntilTermination: {
    enumerable: true,
    get: () => (channel.poll() && termination ? Math.max(0, (termination.at - Date.now()) / 1000) : undefined),
  },
  saveCheckpoint: {
    value: (value: Json) => {
      checkpoint = value
      channel.write(`{"task_id":${currentId},"checkpoint":${carried(value, 'The checkpoint')}}`)
      channel.flush()
    },
  },
  reportProgress: {
    value: (fraction: number, note?: string) => {
      channel.write(`{"task_id":${currentId},"progress":${Number(fraction)},"note":${JSON.stringify(note ?? '')}}`)
      channel.flush()
    },
  },
}
const worker = Object.defineProperties({}, ownProperties) as TaskWorker

function camelised(data: Readonly<Record<string, Json>>): Record<string, Json | undefined> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value ?? undefined,
    ]),
  )
}

// ---- running

let run: TaskFunction | undefined
let busy = false
let startedMs = 0
let startCpu: NodeJS.CpuUsage | undefined
let yieldedMs = 0

/** Runs what waits, until there is nothing, or a task is asynchronous, or the channel wants a look. */
function work(): void {
  if (busy || run === undefined) return
  busy = true
  yieldedMs = startedMs = performance.now()
  startCpu = process.cpuUsage()
  for (;;) {
    const line = waiting[nextWaiting]
    if (line === undefined) break
    nextWaiting++
    const message = JSON.parse(line)
    currentId = JSON.stringify(message.task_id)
    attempt = message.attempt ?? 1
    checkpoint = message.checkpoint
    try {
      const value = run(message.task_id, message.data, worker)
      if (isPromise(value)) {
        channel.flushSoon()
        value.then(returned, threw).then(resume)
        return
      }
      returned(value)
    } catch (thrown) {
      threw(thrown)
    }
    if (startedMs - yieldedMs > YIELD_AFTER_MS) {
      channel.flush()
      setImmediate(resume)
      return
    }
  }
  waiting.length = 0
  nextWaiting = 0
  currentId = '""'
  busy = false
  channel.flush()
}

function resume(): void {
  busy = false
  work()
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
    json = carried(result, 'The result')
  } catch (error) {
    threw(error)
    return
  }
  const usage = measure()
  // Key order and spacing are what the agent's fast path compares with: see completedEventRenderer in core/task-event.ts.
  channel.write(
    `{"task_id":${currentId},"retry":${retry},"elapsed_time":${usage.elapsed}${usage.rest},"result":${json}}`,
  )
  channel.flushIfOld(startedMs)
}

function threw(thrown: unknown): void {
  const text = thrown instanceof Error ? (thrown.stack ?? String(thrown)) : `Thrown: ${String(thrown)}`
  const said = typeof thrown === 'object' && thrown !== null && 'retryable' in thrown ? thrown.retryable : undefined
  const retryable = typeof said === 'boolean' ? `,"retryable":${said}` : ''
  const usage = measure()
  channel.write(
    `{"task_id":${currentId},"exception":${JSON.stringify(text)}${retryable},"elapsed_time":${usage.elapsed}${usage.rest}}`,
  )
  channel.flushIfOld(startedMs)
}

/** Time since the last task's end, which is this one's start. */
function measure(): { elapsed: number; rest: string } {
  const endedMs = performance.now()
  const elapsedMs = endedMs - startedMs
  startedMs = endedMs
  const elapsed = Math.round(elapsedMs * 1000) / 1_000_000
  if (elapsedMs < MEASURE_FROM_MS) {
    startCpu = undefined
    return { elapsed, rest: '' }
  }
  const endCpu = process.cpuUsage()
  const cpu = startCpu && (endCpu.user - startCpu.user + endCpu.system - startCpu.system) / 1_000_000
  startCpu = endCpu
  const rss = process.resourceUsage().maxRSS * 1024
  return { elapsed, rest: `${cpu === undefined ? '' : `,"cpu_seconds":${cpu}`},"max_rss_bytes":${rss}` }
}

/** JSON of a value, or an error that says why there is none. */
function carried(value: unknown, what: string): string {
  if (value === undefined) return 'null'
  let reason = `a ${typeof value} has no JSON form`
  try {
    const json = JSON.stringify(value)
    if (json !== undefined) return json
  } catch (error) {
    if (!(error instanceof Error)) throw error
    reason = error.message.split('\n')[0] ?? ''
  }
  throw new TypeError(`${what} of the task cannot be carried as JSON: ${reason}.`)
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

// ---- start

process.on('exit', () => {
  if (busy) channel.write('{"exiting":true}') // all that was answered is above: the task after it is the one we died of
  channel.flush()
})

async function loadTask(file: string): Promise<TaskFunction | string> {
  let exports: Readonly<Record<string, unknown>>
  try {
    exports = await import(pathToFileURL(resolve(file)).href)
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message.split('\n')[0]}` : String(error)
    if (error instanceof Error) process.stderr.write(`${error.stack}\n`)
    return `Task module ${file} cannot be loaded: ${text}.`
  }
  for (const candidate of [exports.default, exports.processTask, nested(exports.default)]) {
    if (typeof candidate === 'function') return (id, data, worker) => candidate(id, data, worker)
  }
  const names = Object.keys(exports).join(', ') || 'nothing'
  return `Task module ${file} exports ${names}; export a function as default or as processTask.`
}

/** A CommonJS module's `exports.processTask`. */
function nested(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'processTask' in value ? value.processTask : undefined
}

const loaded = await loadTask(process.argv[2] ?? '')
if (typeof loaded === 'string') {
  channel.write(JSON.stringify({ fatal: loaded }))
  channel.flush()
  process.exit(1)
}
run = loaded
channel.write('{"ready":true,"control":true,"pipeline":true}')
channel.flush()
channel.onLines(work)
work()
flushCompileCache() // for the next process: most end by a kill, which would lose it
