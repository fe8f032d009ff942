// Which processes belong to a local VM, and their end. A VM has no single process group: agents start tasks in sessions of
// their own. What they all share is the VM's id in the environment they were started with.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { systemClock } from '../../core/clock.ts'
import { codeOf } from '../../core/errors.ts'
import { VM_ID_VARIABLE } from './vm-folder.ts'

const KILL_WAIT_MS = 10_000 // a killed process can linger in the kernel, writing to a slow disk
const KILL_POLL_MS = 10
const PS_BUFFER_BYTES = 64_000_000 // `ps` with the environment of every process

interface ProcessRow {
  readonly pid: number
  readonly parentPid: number
  readonly marked: boolean
}

/** Tells a process from a later one with the same pid; undefined if there is none, or only its zombie. */
export function processIdentity(pid: number): string | undefined {
  if (!hasProc()) {
    const line = runPs(['-o', 'stat=,lstart=', '-p', String(pid)]).trim()
    return line === '' || line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '')
  }
  const fields = procStat(pid)
  return fields === undefined || fields.state === 'Z' || fields.state === 'X' ? undefined : fields.startTicks
}

export function processRuns({ pid, identity }: { readonly pid: number; readonly identity: string }): boolean {
  return processIdentity(pid) === identity
}

/**
 * Kills all processes of the VM, and looks again until there is none, twice: one that forks while we look, or that its
 * host was just starting, is found in the next round. `except` are spared. Rejects if some refuse to die.
 */
export async function killVmProcesses(id: string, except: readonly number[] = []): Promise<void> {
  const deadlineMs = systemClock.now() + KILL_WAIT_MS
  for (let quietRounds = 0; quietRounds < 2; ) {
    const pids = vmProcesses(id).filter(pid => !except.includes(pid))
    quietRounds = pids.length === 0 ? quietRounds + 1 : 0
    for (const pid of pids) kill(pid)
    if (pids.length > 0 && systemClock.now() > deadlineMs)
      throw new Error(`VM ${id}: processes ${pids.join(', ')} do not die.`)
    await systemClock.sleep(KILL_POLL_MS)
  }
}

export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error
  }
}

/** Those that carry the VM's id, and their descendants, which may have cleared their environment. */
export function vmProcesses(id: string, source: 'proc' | 'ps' = hasProc() ? 'proc' : 'ps'): readonly number[] {
  const marker = `${VM_ID_VARIABLE}=${id}`
  const rows = source === 'proc' ? procRows(marker) : psRows(marker)
  const found = new Set(rows.filter(row => row.marked).map(row => row.pid))
  let size = -1
  while (size !== found.size) {
    size = found.size
    for (const row of rows) if (found.has(row.parentPid)) found.add(row.pid)
  }
  return [...found]
}

function hasProc(): boolean {
  return existsSync('/proc/self/environ')
}

function procRows(marker: string): readonly ProcessRow[] {
  const rows: ProcessRow[] = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    const stat = Number.isInteger(pid) ? procStat(pid) : undefined
    if (stat === undefined || stat.state === 'Z' || stat.state === 'X') continue
    const marked = readProc(pid, 'environ')?.split('\0').includes(marker) ?? false
    rows.push({ pid, parentPid: stat.parentPid, marked })
  }
  return rows
}

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; the name in parentheses may hold anything. */
function procStat(pid: number): { state: string; parentPid: number; startTicks: string } | undefined {
  const text = readProc(pid, 'stat')
  if (text === undefined) return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? 'X', parentPid: Number(fields[1]), startTicks: fields[19] ?? '' }
}

/** undefined: the process ended meanwhile, or is somebody else's. */
function readProc(pid: number, file: 'stat' | 'environ'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return undefined
    throw error
  }
}

function psRows(marker: string): readonly ProcessRow[] {
  const flags = process.platform === 'darwin' ? '-axwwE' : 'axwwe' // both: every process, with its environment
  const rows: ProcessRow[] = []
  for (const line of runPs([flags, '-o', 'pid=,ppid=,stat=,command=']).split('\n')) {
    const [, pid, parentPid, state, command] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s(.*)$/.exec(line) ?? []
    if (state === undefined || state.startsWith('Z')) continue
    rows.push({ pid: Number(pid), parentPid: Number(parentPid), marked: ` ${command} `.includes(` ${marker} `) })
  }
  return rows
}

function runPs(args: readonly string[]): string {
  try {
    return execFileSync('ps', args, {
      encoding: 'latin1',
      maxBuffer: PS_BUFFER_BYTES,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  } catch (error) {
    if (error instanceof Error && 'status' in error && error.status === 1) return '' // no such process
    throw error
  }
}
