// How a worker's tasks are run: in this program, in threads or in processes; by the script again, or by a module of functions.
import { existsSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UserError } from '../../core/errors.ts'
import type { TaskHandler } from '../task-loop.ts'
import { scriptProgram, type TaskProgram } from '../task-program.ts'
import { inlineStarter } from './inline-place.ts'
import { PLACE_VARIABLE } from './place.ts'
import { threadStarter } from './thread-place.ts'
import type { RunOptions } from './worker-options.ts'

export interface ProgramParts {
  readonly workerType: NonNullable<RunOptions['workerType']>
  readonly workerNumber: number
  readonly handler: () => TaskHandler
  /** Of a TaskQueue's worker; undefined = the script runs its own tasks. */
  readonly tasks: { readonly module: string | URL | undefined } | undefined
  readonly batchSize: number | undefined
  readonly maxMemoryGb: number | undefined
  readonly maxCpuPercent: number | undefined
}

const HERE = import.meta.url

export function workerProgram(parts: ProgramParts): TaskProgram {
  const { workerType, workerNumber, batchSize, maxMemoryGb } = parts
  const more = batchSize === undefined ? {} : { batchSize }
  if (workerType === 'inline') return { ...bare('inline tasks'), start: inlineStarter(parts.handler()), ...more }
  if (parts.tasks === undefined) parts.handler() // what is wrong with it is said here, once
  const words = parts.tasks === undefined ? ownScript(workerType) : moduleWords(parts.tasks.module, parts)
  if (workerType === 'process') {
    const flags = parts.tasks === undefined ? ownFlags() : []
    const env = { [PLACE_VARIABLE]: String(workerNumber) }
    return { ...scriptProgram([...flags, ...words], env, { maxMemoryGb }), name: words[0] ?? '', ...more }
  }
  const [file = '', ...args] = words
  return { ...bare(file), start: threadStarter({ file, args, workerNumber, maxMemoryGb }), ...more }
}

function bare(name: string): TaskProgram {
  return { kind: 'module', name, file: '', args: [], env: {}, announces: true }
}

function ownScript(workerType: string): readonly string[] {
  const [, script, ...args] = process.argv
  if (script === undefined || !existsSync(script)) {
    throw new UserError(
      `workerType "${workerType}" runs this script again, but there is none: put the worker into a file.`,
    )
  }
  return [script, ...args]
}

/** What makes the script load as it was loaded here, without what is for one process only. */
function ownFlags(): readonly string[] {
  return process.execArgv.filter(flag => !/^--(test|inspect|watch|max-semi-space-size|max-old-space-size)/.test(flag))
}

function moduleWords(module: string | URL | undefined, { workerType, maxCpuPercent }: ProgramParts): readonly string[] {
  if (module === undefined) {
    throw new UserError(
      `workerType "${workerType}" needs the option "tasks": the module that exports the functions, which it cannot see from there.`,
    )
  }
  const file = module instanceof URL || module.startsWith('file:') ? fileURLToPath(module) : resolve(module)
  if (!existsSync(file)) throw new UserError(`Task module ${file} does not exist.`)
  const place = fileURLToPath(new URL(`./module-place${extname(HERE)}`, HERE))
  return [place, file, ...(maxCpuPercent === undefined ? [] : [String(maxCpuPercent)])]
}
