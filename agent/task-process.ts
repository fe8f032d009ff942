// One process that runs tasks: starts it as the leader of its own group, carries lines, kills the whole tree.
// Knows nothing of tasks, outcomes or queues.
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { Duplex, type Readable, type Writable } from 'node:stream'
import { killTree, TASK_PROCESS_MARK } from './process-tree.ts'
import type { TaskProgram } from './task-program.ts'
import type { Undertaker } from './undertaker.ts'

const TERM_TO_KILL_MS = 1000
const MAX_LINE_CHARS = 64 * 1024 ** 2 // longer ones are cut: no queue carries them, and the memory is everybody's
const END_TO_TERM_MS = 1000
const DRAIN_MS = 500 // a background child may hold our end of the pipe open; what the dead process wrote is there long before

export interface TaskProcessEvents {
  /** Whole lines, without their newlines, as many as came at once. */
  lines(lines: readonly string[]): void
  /** Once, after the last line. Negative = killed by that signal. */
  ended(exitCode: number | undefined): void
  /** Instead of `ended`: it never ran. */
  failedToStart(reason: string): void
}

export interface TaskProcess {
  readonly pid: number | undefined
  write(lines: string): void
  /** The process is to end by itself: its input ends. */
  end(): void
  /** The whole tree: SIGTERM, and SIGKILL a second later. `ended` follows. */
  kill(): void
  /** SIGKILL to the whole tree, in this very statement. */
  killNow(): void
}

export type StartTaskProcess = (
  program: TaskProgram,
  mark: string,
  undertaker: Undertaker,
  events: TaskProcessEvents,
) => TaskProcess

export const startTaskProcess: StartTaskProcess = (program, mark, undertaker, events) => {
  const child = spawn(program.file, program.args, {
    detached: true, // its own group: one signal reaches all of it, and the terminal's Ctrl-C reaches none of it
    // A module keeps its own stdout and stderr; a command answers on its stdout. Never one socket for both directions: a
    // write to a process that has just ended would destroy it, with the answers that were not read yet.
    stdio: program.kind === 'module' ? ['ignore', 'inherit', 'inherit', 'pipe', 'pipe'] : ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...program.env, [TASK_PROCESS_MARK]: mark },
  })
  const { input, output } = channelOf(child, program)
  const { pid } = child
  if (pid !== undefined) undertaker.watch(pid)

  let rest = ''
  let over = false
  let killing = false
  let killTimer: NodeJS.Timeout | undefined
  const finish = (report: () => void) => {
    if (over) return
    over = true
    clearTimeout(killTimer)
    if (pid !== undefined) undertaker.forget(pid)
    if (rest !== '') events.lines([rest])
    report()
  }

  output.setEncoding('utf8')
  output.on('data', (chunk: string) => {
    if (over) return
    if (!chunk.includes('\n') && rest.length < MAX_LINE_CHARS) {
      rest += chunk
      return
    }
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    if (lines.length > 0) events.lines(lines)
  })
  output.on('error', () => {}) // a killed process resets its socket; `exit` tells
  input.on('error', () => {})
  child.on('error', error => {
    if (pid === undefined) finish(() => events.failedToStart(error.message))
  })
  child.on('exit', (code, signal) => {
    // What the process left behind in its group or under its mark has no task any more.
    if (pid !== undefined) killTree(pid, mark, 'SIGKILL')
    const report = () => finish(() => events.ended(signal === null ? (code ?? undefined) : -constants.signals[signal]))
    const timer = setTimeout(report, DRAIN_MS)
    child.once('close', () => {
      clearTimeout(timer)
      report()
    })
  })

  const kill = () => {
    if (over || pid === undefined || killing) return
    killing = true
    killTree(pid, mark, 'SIGTERM')
    clearTimeout(killTimer)
    killTimer = setTimeout(() => killTree(pid, mark, 'SIGKILL'), TERM_TO_KILL_MS)
  }

  return {
    pid,
    write(lines) {
      if (!over) input.write(lines)
    },
    end() {
      input.end()
      killTimer ??= setTimeout(kill, END_TO_TERM_MS)
    },
    kill,
    killNow() {
      if (!over && pid !== undefined) killTree(pid, mark, 'SIGKILL')
    },
  }
}

function channelOf(child: ChildProcess, program: TaskProgram): { input: Writable; output: Readable } {
  const { 3: input, 4: output } = child.stdio
  if (program.kind === 'module' && input instanceof Duplex && output instanceof Duplex) return { input, output }
  if (child.stdin === null || child.stdout === null) throw new Error(`No pipes to ${program.name}.`)
  return { input: child.stdin, output: child.stdout }
}
