// One process that runs tasks: carries lines to it and from it.
// Knows nothing of tasks, outcomes or queues.
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { Duplex, type Readable, type Writable } from 'node:stream'
import { startProcessGroup } from './process-group.ts'
import type { TaskLog } from './task-log.ts'
import { ownsChannel, type TaskProgram } from './task-program.ts'
import type { Undertaker } from './undertaker.ts'

const CHANNEL_VARIABLE = 'CLOUD_TASKS_CHANNEL' // tells a program how it is spoken to
const MAX_LINE_CHARS = 64 * 1024 ** 2 // longer ones are cut: no queue carries them, and the memory is everybody's

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

/** A thread, or this very program, may stand in for a process: see `TaskProgram.start`. `log`: where it prints. */
export type StartTaskProcess = (
  program: TaskProgram,
  mark: string,
  undertaker: Undertaker,
  events: TaskProcessEvents,
  log: TaskLog,
) => TaskProcess

export const startTaskProcess: StartTaskProcess = (program, mark, undertaker, events, log) => {
  let rest = ''
  const flushRest = () => {
    if (rest !== '') events.lines([rest])
    rest = ''
  }
  const group = startProcessGroup(
    {
      file: program.file,
      args: program.args,
      env: { ...program.env, [CHANNEL_VARIABLE]: ownsChannel(program) ? 'own' : 'stdio' },
      stdio: stdioOf(program, log),
      mark,
      undertaker,
    },
    {
      ended(exitCode) {
        flushRest()
        events.ended(exitCode)
      },
      failedToStart: events.failedToStart,
    },
  )
  const { input, output } = channelOf(group.child, program)

  output.setEncoding('utf8')
  output.on('data', (chunk: string) => {
    if (group.over()) return
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

  return {
    pid: group.pid,
    write(lines) {
      if (!group.over()) input.write(lines)
    },
    end() {
      input.end()
      group.expectEnd()
    },
    kill: group.kill,
    killNow: group.killNow,
  }
}

/**
 * Either a channel of its own on descriptors 3 and 4, so that stdout and stderr are the task's; or stdin and stdout. Never
 * one socket for both directions: a write to a process that has just ended would destroy it, with the answers that were
 * not read yet.
 */
function stdioOf(program: TaskProgram, { descriptor }: TaskLog): NonNullable<SpawnOptions['stdio']> {
  return ownsChannel(program) ? ['ignore', descriptor, descriptor, 'pipe', 'pipe'] : ['pipe', 'pipe', descriptor]
}

function channelOf(child: ChildProcess, program: TaskProgram): { input: Writable; output: Readable } {
  const { 3: input, 4: output } = child.stdio
  if (ownsChannel(program) && input instanceof Duplex && output instanceof Duplex) return { input, output }
  if (child.stdin === null || child.stdout === null) throw new Error(`No pipes to ${program.name}.`)
  return { input: child.stdin, output: child.stdout }
}
