// What runs a task: a module in our runner, or any command. Says how to start it; starts nothing.
import { existsSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UserError } from '../core/errors.ts'
import type { CommandLine } from './command-line.ts'
import { compileCacheFolder } from './compile-cache.ts'
import type { StartTaskProcess } from './task-process.ts'

export interface TaskProgram {
  readonly kind: 'module' | 'command'
  /** For messages. */
  readonly name: string
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** How a place for tasks is started; absent = as a process of its own. */
  readonly start?: StartTaskProcess
  /** Tasks that it should have at hand, however long they take: it runs so many together. Default 1. */
  readonly batchSize?: number
}

const MODULES = ['.ts', '.mts', '.js', '.mjs', '.cjs']
const HERE = import.meta.url
const SEMI_SPACE_MIB = 4 // of a task process: short tasks leave little behind, and every slot has one
const GIB = 1024 ** 3

export function taskProgram(
  task: CommandLine['task'],
  options: { readonly maxMemoryGb: number | undefined },
): TaskProgram {
  if (task === undefined) {
    throw new UserError('No task given: write cloud-tasks-agent [options] ./task.ts, or [options] -- command args.', {
      exitCode: 2,
    })
  }
  if (task.kind === 'command') {
    const [file = '', ...args] = task.words
    return { kind: 'command', name: task.words.join(' '), file, args, env: {} }
  }
  if (/\.py(:|$)/.test(task.file)) {
    throw new UserError(
      `Python functions such as ${task.file} are not supported yet: run -- python3 with a program that speaks docs/protocol.md.`,
    )
  }
  if (!MODULES.includes(extname(task.file))) {
    throw new UserError(`${task.file} is not a task module (${MODULES.join(' ')}): put a command after --.`)
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
  }
}

function nodeFlags({ maxMemoryGb }: { readonly maxMemoryGb: number | undefined }): readonly string[] {
  const flags = ['--disable-warning=ExperimentalWarning', `--max-semi-space-size=${SEMI_SPACE_MIB}`]
  if (maxMemoryGb === undefined) return flags
  return [...flags, `--max-old-space-size=${Math.max(16, Math.ceil((maxMemoryGb * GIB) / 1024 ** 2))}`]
}

function nodeEnv(): Readonly<Record<string, string>> {
  const folder = process.env.NODE_COMPILE_CACHE === undefined ? compileCacheFolder() : undefined
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder }
}
