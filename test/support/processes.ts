// Finds the processes of a test by what their environment, command line or working folder mentions. Linux only: the test
// that needs it elsewhere says so by failing.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface FoundProcess {
  readonly pid: number
  readonly command: string
}

export function processesMentioning(text: string): readonly FoundProcess[] {
  const found: FoundProcess[] = []
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const command = readProc(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim())
    const state = readProc(() => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0])
    if (command === undefined || state === undefined || state === 'Z') continue
    const environment = readProc(() => readFileSync(`/proc/${pid}/environ`, 'utf8')) ?? ''
    const folder = readProc(() => readlinkSync(`/proc/${pid}/cwd`)) ?? ''
    if (command.includes(text) || folder.startsWith(text) || environment.includes(text)) found.push({ pid, command })
  }
  return found
}

export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  }
}

/** Polls until `condition` holds. Bounded: a test that waits in vain says for what. */
export async function until(what: string, condition: () => boolean, { withinMs = 20_000 } = {}): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Waited ${withinMs} ms in vain for: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

function readProc<Value>(read: () => Value): Value | undefined {
  try {
    return read()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return undefined // it ended, or is not ours
    throw error
  }
}
