// Counts what a worker has done, from the ends of attempts that it has reported.
import type { AttemptEvent } from '../../core/task-event.ts'

export interface WorkerStatus {
  readonly isRunning: boolean
  /** Tasks that have ended for good, failed ones included. */
  readonly tasksProcessed: number
  readonly tasksFailed: number
  readonly currentTaskId: string | undefined
  readonly currentTaskIds: readonly string[]
  /** Seconds since the start; 0 before it. */
  readonly uptime: number
  readonly lastTaskAt: Date | undefined
}

export interface WorkerMetrics {
  /** Seconds; 0 before the first task. */
  readonly avgTaskDuration: number
  readonly tasksPerSecond: number
  /** 0 … 1 of the tasks that have ended for good. */
  readonly successRate: number
  readonly errorRate: number
  /** Attempts that were followed by another. */
  readonly retries: number
}

export class WorkerCounters {
  processed = 0
  failed = 0
  retries = 0
  #seconds = 0
  #attempts = 0
  #startedMs: number | undefined
  #endedMs: number | undefined
  lastTaskAt: Date | undefined

  start(): void {
    this.#startedMs ??= performance.now()
    this.#endedMs = undefined
  }

  end(): void {
    this.#endedMs = performance.now()
  }

  count(event: AttemptEvent): void {
    this.#attempts++
    this.#seconds += event.elapsedSeconds
    if (followed(event)) {
      this.retries++
      return
    }
    this.processed++
    this.lastTaskAt = new Date()
    if (hasFailed(event)) this.failed++
  }

  uptime(): number {
    if (this.#startedMs === undefined) return 0
    return ((this.#endedMs ?? performance.now()) - this.#startedMs) / 1000
  }

  metrics(): WorkerMetrics {
    const { processed, failed, retries } = this
    const errorRate = processed === 0 ? 0 : failed / processed
    return {
      avgTaskDuration: this.#attempts === 0 ? 0 : this.#seconds / this.#attempts,
      tasksPerSecond: processed === 0 ? 0 : processed / this.uptime(),
      successRate: processed === 0 ? 0 : 1 - errorRate,
      errorRate,
      retries,
    }
  }
}

/** Whether another attempt comes after this one. */
export function followed({ retry, outcome, deadLetter }: AttemptEvent): boolean {
  return retry === true || (outcome.kind === 'interrupted' && deadLetter === undefined)
}

export function hasFailed({ outcome, deadLetter }: AttemptEvent): boolean {
  return outcome.kind !== 'completed' || deadLetter !== undefined
}
