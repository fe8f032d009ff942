// Measures what tasks that follow one another have used, each from the end of the one before it.

const MEASURE_FROM_MS = 1 // shorter tasks are not worth two system calls

export interface UsageMeter {
  /** The first of some tasks begins now. Returns the time, as `performance.now()`. */
  start(): number
  /** A task has ended: the fields of its answer, as JSON without braces; `elapsed_time` first. */
  lap(): string
  /** When the last task ended or the first one began. */
  sinceMs(): number
}

export function openUsageMeter(): UsageMeter {
  let sinceMs = 0
  let sinceCpu: NodeJS.CpuUsage | undefined
  return {
    sinceMs: () => sinceMs,
    start() {
      sinceCpu = process.cpuUsage()
      sinceMs = performance.now()
      return sinceMs
    },
    lap() {
      const nowMs = performance.now()
      const elapsedMs = nowMs - sinceMs
      sinceMs = nowMs
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
