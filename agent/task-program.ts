// What runs a task: a module or a Python function in a runner of ours, or any command. Says how to start it; starts nothing.
import { existsSync } from 'node:fs'
import { delimiter, extname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UserError } from '../core/errors.ts'
import type { AgentSettings } from '../core/settings.ts'
import type { CommandLine } from './command-line.ts'
import { compileCacheFolder } from './compile-cache.ts'
import { startOneShot } from './one-shot.ts'
import type { StartTaskProcess } from './task-process.ts'

export interface TaskProgram {
  /** A module is known to speak all of the protocol; a command says how much it does; one-shot = a process for each task. */
  readonly kind: 'module' | 'command' | 'one-shot'
  /** For messages. */
  readonly name: string
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** A command that reads from descriptor 3 and answers on 4, as the runner of modules always does. */
  readonly ownChannel?: boolean
  /** It will announce itself, and until then it is only starting. */
  readonly announces?: boolean
  /** How a place for tasks is started; absent = as a process of its own. */
  readonly start?: StartTaskProcess
  /** Tasks that it should have at hand, however long they take: it runs so many together. Default 1. */
  readonly batchSize?: number
}

export interface TaskProgramOptions {
  readonly maxMemoryGb: number | undefined
  readonly oneShot?: boolean
  readonly ownChannel?: boolean
  /** Command that runs Python. */
  readonly python?: string
}

const MODULES = ['.ts', '.mts', '.js', '.mjs', '.cjs']
const PYTHON = /^(.*\.py)(?::(\w+))?$/s
const HERE = import.meta.url
const SEMI_SPACE_MIB = 4 // of a task process: short tasks leave little behind, and every slot has one
const GIB = 1024 ** 3

export function optionsOf(settings: AgentSettings): TaskProgramOptions {
  const { maxMemoryPerTaskGb: maxMemoryGb, oneShot, ownChannel, python } = settings
  return { maxMemoryGb, oneShot, ownChannel, python }
}

export function taskProgram(task: CommandLine['task'], options: TaskProgramOptions): TaskProgram {
  if (task === undefined) {
    throw new UserError('No task given: write cloud-tasks-agent [options] ./task.ts, or [options] -- command args.', {
      exitCode: 2,
    })
  }
  if (task.kind === 'command') return command(task.words, options)
  if (options.oneShot) throw new UserError(`--one-shot is for a command: put one after --, not ${task.file}.`)
  const [, pythonFile, pythonFunction = 'process_task'] = PYTHON.exec(task.file) ?? []
  if (pythonFile !== undefined) return pythonProgram(pythonFile, pythonFunction, options)
  if (!MODULES.includes(extname(task.file))) {
    throw new UserError(
      `${task.file} is not a task module (${MODULES.join(' ')}) or a Python function (worker.py:process_task): put a command after --.`,
    )
  }
  const file = resolve(task.file)
  if (!existsSync(file)) throw new UserError(`Task module ${file} does not exist.`)
  const runner = fileURLToPath(new URL(`./runner${extname(HERE)}`, HERE))
  return {
    kind: 'module',
    name: task.file,
    file: process.execPath,
    args: [...nodeFlags(options), runner, file],
    env: nodeEnv(),
    announces: true,
  }
}

/** A script of Node's that is a task process by itself when it is started with `env`. */
export function scriptProgram(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  options: TaskProgramOptions,
): TaskProgram {
  return {
    kind: 'module',
    name: words[0] ?? '',
    file: process.execPath,
    args: [...nodeFlags(options), ...words],
    env: { ...nodeEnv(), ...env },
    announces: true,
  }
}

export function ownsChannel({ kind, ownChannel = false }: TaskProgram): boolean {
  return kind === 'module' || ownChannel
}

function command(words: readonly string[], { oneShot, ownChannel = false }: TaskProgramOptions): TaskProgram {
  const [file = '', ...args] = words
  const named = { name: words.join(' '), file, args, env: pythonPath() }
  if (!oneShot) return { kind: 'command', ...named, ownChannel }
  if (ownChannel) throw new UserError('Give either --one-shot or --own-channel: a one-shot program has no channel.')
  return { kind: 'one-shot', ...named, start: startOneShot }
}

function pythonProgram(pythonFile: string, name: string, { python = 'python3' }: TaskProgramOptions): TaskProgram {
  const file = resolve(pythonFile)
  if (!existsSync(file)) throw new UserError(`Python file ${file} does not exist.`)
  return {
    kind: 'command',
    name: `${pythonFile}:${name}`,
    file: python,
    args: ['-m', 'cloud_tasks.run_function', file, name],
    env: pythonPath(),
    ownChannel: true,
    announces: true,
  }
}

/** Where Python finds the package `cloud_tasks`. */
export function pythonFolder(): string | undefined {
  // Python files are not compiled: the program in dist/ uses those of the sources.
  return ['./python', '../../agent/python'].map(at => fileURLToPath(new URL(at, HERE))).find(existsSync)
}

/** So that it is found in whatever way Python is started. */
function pythonPath(): Readonly<Record<string, string>> {
  const folder = pythonFolder()
  if (folder === undefined) return {}
  const others = process.env.PYTHONPATH?.split(delimiter).filter(path => path !== '' && path !== folder) ?? []
  return { PYTHONPATH: [folder, ...others].join(delimiter) }
}

function nodeFlags({ maxMemoryGb }: TaskProgramOptions): readonly string[] {
  const flags = ['--disable-warning=ExperimentalWarning', `--max-semi-space-size=${SEMI_SPACE_MIB}`]
  if (maxMemoryGb === undefined) return flags
  return [...flags, `--max-old-space-size=${Math.max(16, Math.ceil((maxMemoryGb * GIB) / 1024 ** 2))}`]
}

function nodeEnv(): Readonly<Record<string, string>> {
  const folder = process.env.NODE_COMPILE_CACHE === undefined ? compileCacheFolder() : undefined
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder }
}
