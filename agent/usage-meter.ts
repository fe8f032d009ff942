// Measures what tasks that follow one another have used, each from the end of the one before it.
import { fstatSync } from 'node:fs'
import { codeOf } from '../core/errors.ts'

const MEASURE_FROM_MS = 1 // shorter tasks are not worth two system calls
const PRINTED_FROM_MS = 0.01 // a shorter one has not printed anything

export interface UsageMeter {
  /** The first of some tasks begins now. Returns the time, as `performance.now()`. */
  start(): number
  /** A task has ended: the fields of its answer, as JSON without braces; `elapsed_time` first. */
  lap(): string
  /** What the task that has just ended has printed, as a field of its answer with a comma in front; or nothing. */
  printed(): string
  /** When the last task ended or the first one began. */
  sinceMs(): number
}

/** `log`: descriptor of the file that tasks print to. */
export function openUsageMeter({ log }: { readonly log?: number | undefined } = {}): UsageMeter {
  const printedBytes = log !== undefined && fstatSync(log).isFile() ? () => sizeOf(log) : () => 0
  let printedFrom = 0
  let printedTo = printedBytes()
  let sinceMs = 0
  let sinceCpu: NodeJS.CpuUsage | undefined
  return {
    sinceMs: () => sinceMs,
    printed: () => (printedTo > printedFrom ? `,"log":[${printedFrom},${printedTo}]` : ''),
    start() {
      printedTo = printedBytes()
      sinceCpu = process.cpuUsage()
      sinceMs = performance.now()
      return sinceMs
    },
    lap() {
      const nowMs = performance.now()
      const elapsedMs = nowMs - sinceMs
      sinceMs = nowMs
      printedFrom = printedTo
      if (elapsedMs > PRINTED_FROM_MS) printedTo = printedBytes()
      const elapsed = `"elapsed_time":${Math.round(elapsedMs * 1000) / 1_000_000}`
      if (elapsedMs < MEASURE_FROM_MS) {
        sinceCpu = undefined
        return elapsed
      }
      const cpu = process.cpuUsage()
      const used = sinceCpu && (cpu.user - sinceCpu.user + cpu.system - sinceCpu.system) / 1_000_000
      sinceCpu = cpu
      const rssBytes = process.resourceUsage().maxRSS * 1024
      return `${elapsed}${used === undefined ? '' : `,"cpu_seconds":${used}`},"max_rss_bytes":${rssBytes}`
    },
  }
}

/** 0 once the slot has closed its log: then this thread is about to be ended, and nobody reads what it still says. */
function sizeOf(descriptor: number): number {
  try {
    return fstatSync(descriptor).size
  } catch (error) {
    if (codeOf(error) !== 'EBADF') throw error
    return 0
  }
}
