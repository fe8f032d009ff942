// Runs a command to tell of a job's end: the facts are in its environment, and as JSON on its standard input.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { messageOf } from '../core/errors.ts'
import type { Notification } from './notify.ts'

const COMMAND_MS = 60_000

/** undefined = it ended with 0; else what went wrong. Its output goes to stderr: stdout is the report's. */
export async function runNotifyCommand(
  command: string,
  notification: Notification,
  { signal, limitMs = COMMAND_MS }: { readonly signal: AbortSignal; readonly limitMs?: number },
): Promise<string | undefined> {
  const child = spawn('sh', ['-c', command], {
    stdio: ['pipe', 2, 2],
    env: { ...process.env, ...variablesOf(notification) },
    detached: true, // a group of its own, so that all of it can be ended
  })
  const limit = AbortSignal.any([signal, AbortSignal.timeout(limitMs)])
  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // it is gone already
    }
  }
  limit.addEventListener('abort', end, { once: true })
  child.stdin?.on('error', () => {}) // a command need not read what it is told
  child.stdin?.end(`${JSON.stringify(notification)}\n`)
  try {
    const [exitCode, killedBy] = await once(child, 'close')
    if (exitCode === 0) return undefined
    if (limit.aborted) return signal.aborted ? 'it was interrupted' : `it ran longer than ${limitMs / 1000} s`
    return exitCode === null ? `it was killed by ${killedBy}` : `it exited with ${exitCode}`
  } catch (error) {
    return messageOf(error)
  } finally {
    limit.removeEventListener('abort', end)
  }
}

/** `CLOUD_TASKS_EVENT`, `CLOUD_TASKS_JOB_ID`, `CLOUD_TASKS_COST_USD` … one for each field. */
function variablesOf(notification: Notification): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(notification).map(([field, value]) => [`CLOUD_TASKS_${field.toUpperCase()}`, String(value)]),
  )
}
