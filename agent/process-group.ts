// A process that leads a group of its own: started, ended and killed together with all that it starts.
// Knows nothing of lines or tasks.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { killTree, TASK_PROCESS_MARK } from './process-tree.ts'
import type { Undertaker } from './undertaker.ts'

const TERM_TO_KILL_MS = 1000
const END_TO_TERM_MS = 1000
const DRAIN_MS = 500 // a background child may hold our end of the pipe open; what the dead process wrote is there long before

export interface GroupOptions {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly stdio: NonNullable<SpawnOptions['stdio']>
  /** Tells its processes from all others, wherever they move. */
  readonly mark: string
  readonly undertaker: Undertaker
}

export interface GroupEvents {
  /** Once, when all that it wrote can have been read. Negative = killed by that signal. */
  ended(exitCode: number | undefined): void
  /** Instead of `ended`: it never ran. */
  failedToStart(reason: string): void
}

export interface ProcessGroup {
  readonly child: ChildProcess
  readonly pid: number | undefined
  over(): boolean
  /** It is to end by itself; if it does not, it is killed. */
  expectEnd(): void
  /** The whole tree: SIGTERM, and SIGKILL a second later. `ended` follows. */
  kill(): void
  /** SIGKILL to the whole tree, in this very statement. */
  killNow(): void
}

export function startProcessGroup(options: GroupOptions, events: GroupEvents): ProcessGroup {
  const { file, args, env, stdio, mark, undertaker } = options
  const child = spawn(file, args, {
    detached: true, // its own group: one signal reaches all of it, and the terminal's Ctrl-C reaches none of it
    stdio,
    env: { ...process.env, ...env, [TASK_PROCESS_MARK]: mark },
  })
  const { pid } = child
  if (pid !== undefined) undertaker.watch(pid)

  let over = false
  let killing = false
  let killTimer: NodeJS.Timeout | undefined
  const finish = (report: () => void) => {
    if (over) return
    over = true
    clearTimeout(killTimer)
    if (pid !== undefined) undertaker.forget(pid)
    report()
  }
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
    child,
    pid,
    over: () => over,
    expectEnd() {
      if (!over) killTimer ??= setTimeout(kill, END_TO_TERM_MS)
    },
    kill,
    killNow() {
      if (!over && pid !== undefined) killTree(pid, mark, 'SIGKILL')
    },
  }
}
