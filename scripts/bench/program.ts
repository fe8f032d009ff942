// Starts the programs that do the measured work, each in a process of its own, and reads what they answer.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

export interface Program extends AsyncDisposable {
  readonly pid: number
  /** The last line of its stdout as JSON numbers by name; rejects when it fails or exceeds its time. */
  readonly answer: Promise<Answer>
}

export type Answer = Readonly<Record<string, number>>

export interface ProgramOptions {
  readonly timeoutMs: number
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  /** User and group to run as; PostgreSQL refuses root. */
  readonly uid?: number
  readonly gid?: number
}

/** Runs `command` to its end and returns its answer. */
export async function runProgram(command: readonly string[], options: ProgramOptions): Promise<Answer> {
  await using program = startProgram(command, options)
  return await program.answer
}

/** `command[0]` ending in .ts or .mjs is run by this very Node. Dispose kills the process group if it still runs. */
export function startProgram(command: readonly string[], options: ProgramOptions): Program {
  const { timeoutMs, env = {}, ...place } = options
  const [file = '', ...args] = /\.(ts|mjs)$/.test(command[0] ?? '') ? [process.execPath, ...command] : command
  const child = spawn(file, args, {
    ...place,
    env: { ...process.env, NODE_NO_WARNINGS: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // its own group, so that its children end with it
  })
  const timer = setTimeout(() => kill(child), timeoutMs)
  const answer = readAnswer(child, command).finally(() => clearTimeout(timer))
  answer.catch(() => undefined) // whoever awaits it sees the failure; nobody may
  return {
    pid: child.pid ?? -1,
    answer,
    [Symbol.asyncDispose]: async () => {
      kill(child)
      await answer.catch(() => undefined)
    },
  }
}

async function readAnswer(child: ChildProcess, command: readonly string[]): Promise<Answer> {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', chunk => {
    stdout += chunk
  })
  child.stderr?.on('data', chunk => {
    stderr = (stderr + chunk).slice(-2000)
  })
  const [exitCode, signal] = await once(child, 'close')
  if (exitCode !== 0) {
    throw new Error(`"${command.join(' ')}" ended with ${signal ?? `exit code ${exitCode}`}: ${stderr || stdout}`)
  }
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  return last.startsWith('{') ? (JSON.parse(last) as Answer) : {}
}

function kill(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ESRCH') throw error
  }
}

/** One number of an answer. */
export function numberOf(answer: Answer, name: string): number {
  const value = answer[name]
  if (value === undefined) throw new Error(`The program's answer has no "${name}": ${JSON.stringify(answer)}`)
  return value
}
