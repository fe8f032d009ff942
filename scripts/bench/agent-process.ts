// A real agent on the local cloud of one measurement, outside of any VM.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ROOT } from './compiled.ts'
import { cloudFolder, JOB_ID, LEASE_SECONDS } from './place.ts'

const STOP_MS = 10_000
const AGENT = join(ROOT, 'agent', 'main.ts')

export interface AgentOptions {
  readonly folder: string
  /** A file of the `tasks` folder. */
  readonly task: string
  readonly leaseSeconds?: number
  readonly slotCount?: number
  /** The agent's program; default: this checkout's source. */
  readonly main?: string
  readonly nodeOptions?: readonly string[]
}

export interface AgentProcess extends AsyncDisposable {
  readonly pid: number
  running(): boolean
  /** The end of what it wrote to stderr. */
  log(): string
  /** SIGTERM, so that it returns what it holds; SIGKILL if that takes too long. */
  stop(): Promise<void>
}

export function startAgent(given: AgentOptions): AgentProcess {
  const { folder, task, leaseSeconds = LEASE_SECONDS, slotCount = 2, main = AGENT, nodeOptions = [] } = given
  const settings = {
    provider: 'local',
    'local-root': cloudFolder(folder),
    'job-id': JOB_ID,
    'num-simultaneous-tasks': String(slotCount),
    'visibility-timeout': String(leaseSeconds),
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  const command = [main, ...flags, join(import.meta.dirname, 'tasks', task)]
  const child = spawn(process.execPath, [...nodeOptions, ...command], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const closed = once(child, 'close')
  let log = ''
  child.stderr.on('data', chunk => {
    log = (log + chunk).slice(-2000)
  })
  const stop = async () => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await closed
    clearTimeout(timer)
  }
  return {
    pid: child.pid ?? -1,
    running: () => child.exitCode === null && child.signalCode === null,
    log: () => log,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
