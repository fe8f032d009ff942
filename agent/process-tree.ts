// All processes that a task has started: found by process group, by parent and by a mark in their environment.
// Without /proc (macOS) only the group is known.
import { readdirSync, readFileSync } from 'node:fs'
import { codeOf } from '../core/errors.ts'

/** Environment variable that marks every process below an agent; its value tells the processes of one slot apart. */
export const TASK_PROCESS_MARK = 'CLOUD_TASKS_PROCESS'

/** Kills the group that `pid` leads, and with SIGKILL everything that bears the mark, wherever it has moved. */
export function killTree(pid: number, mark: string, signal: 'SIGTERM' | 'SIGKILL'): void {
  kill(-pid, signal)
  if (signal === 'SIGKILL') killMarked(`${TASK_PROCESS_MARK}=${mark}`)
}

/** Kills every process whose environment has this entry; `NAME=value`, or a beginning of it that ends in `-`. */
export function killMarked(entry: string): void {
  const needle = Buffer.from(`\0${entry}${entry.endsWith('-') ? '' : '\0'}`)
  for (const pid of listPids()) {
    if (pid === process.pid) continue
    const environment = readProc(pid, 'environ')
    if (environment === undefined) continue
    if (Buffer.concat([Buffer.from('\0'), environment, Buffer.from('\0')]).includes(needle)) kill(pid, 'SIGKILL')
  }
}

/** Resident bytes by leader: its group, and the descendants that left the group. */
export function residentBytes(leaders: readonly number[]): ReadonlyMap<number, number> {
  const totals = new Map(leaders.map(leader => [leader, 0]))
  const stats = new Map<number, Stat>()
  for (const pid of listPids()) {
    const stat = readProc(pid, 'stat')
    if (stat !== undefined) stats.set(pid, parseStat(stat.toString('latin1')))
  }
  for (const [pid, stat] of stats) {
    const leader = totals.has(stat.group) ? stat.group : ancestorAmong(totals, pid, stats)
    if (leader !== undefined) totals.set(leader, (totals.get(leader) ?? 0) + stat.residentBytes)
  }
  return totals
}

interface Stat {
  readonly parent: number
  readonly group: number
  readonly residentBytes: number
}

const PAGE_BYTES = 4096 // of x86-64 and of arm64 as cloud images configure it

/** `pid (any name) state ppid pgrp … rss`: counted after the name, which may hold spaces and brackets. */
function parseStat(text: string): Stat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(fields[1]), group: Number(fields[2]), residentBytes: Number(fields[21]) * PAGE_BYTES }
}

function ancestorAmong(
  leaders: ReadonlyMap<number, number>,
  pid: number,
  stats: ReadonlyMap<number, Stat>,
): number | undefined {
  let at = stats.get(pid)?.parent
  for (let depth = 0; at !== undefined && at > 1 && depth < 64; depth++) {
    if (leaders.has(at)) return at
    at = stats.get(at)?.parent
  }
  return undefined
}

function listPids(): readonly number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter(pid => pid > 0)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

/** undefined = the process has ended or is not ours. */
function readProc(pid: number, file: 'environ' | 'stat'): Buffer | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM' || code === 'ENOTDIR')
      return undefined
    throw error
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    const code = codeOf(error)
    if (code !== 'ESRCH' && code !== 'EPERM') throw error // already gone, or a group of which only zombies are left
  }
}
