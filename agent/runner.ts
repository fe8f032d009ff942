// Runs inside a task process: loads a task module and runs it on the tasks that come in on descriptor 3; answers leave on 4.
import { flushCompileCache } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { offerLoop, takeLoop } from './offered-loop.ts'
import { openRunnerChannel } from './runner-channel.ts'
import { openTaskLoop, type TaskFunction } from './task-loop.ts'

const opened = openTaskLoop(onLine => openRunnerChannel({ input: 3, output: 4 }, onLine), { log: 1 })
process.on('exit', opened.exiting)
offerLoop(opened)
const loaded = await loadTask(process.argv[2] ?? '')
const loop = takeLoop()
if (loop !== undefined && typeof loaded === 'string') {
  loop.refuse(loaded)
  process.exit(1)
}
if (typeof loaded !== 'string') loop?.start({ run: loaded })
flushCompileCache() // for the next process: most end by a kill, which would lose it

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
