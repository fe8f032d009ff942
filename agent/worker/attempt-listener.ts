// What a worker's own program hears of each attempt: counters, callbacks and lines of its log.
import { messageOf } from '../../core/errors.ts'
import type { AttemptEvent } from '../../core/task-event.ts'
import type { Log } from '../log.ts'
import { type Packing, unpackValue } from './packing.ts'
import { resultOf } from './result.ts'
import { followed, hasFailed, WorkerCounters } from './worker-metrics.ts'
import type { ListenOptions, RunOptions } from './worker-options.ts'

export interface AttemptListener {
  readonly counters: WorkerCounters
  begin(log: Log): void
  hear(event: AttemptEvent): void
  end(): void
}

export function attemptListener(
  options: ListenOptions & Pick<RunOptions, 'continueOnError'>,
  { packing, stop }: { readonly packing: Packing; readonly stop: () => void },
): AttemptListener {
  const { onSuccess, onError, continueOnError = true, logTasks, logErrors, logPerformance } = options
  const counters = new WorkerCounters()
  let log: Log | undefined
  return {
    counters,
    begin(to) {
      log = to
      counters.start()
    },
    hear(event) {
      counters.count(event)
      try {
        tell(event)
      } catch (error) {
        log?.error(`A callback failed for task "${event.taskId}": ${messageOf(error)}`)
      }
      if (!continueOnError && hasFailed(event) && !followed(event)) stop()
    },
    end() {
      counters.end()
      if (!logPerformance) return
      const { tasksPerSecond, avgTaskDuration, successRate } = counters.metrics()
      const percent = (successRate * 100).toFixed(1)
      log?.info(
        `${counters.processed} tasks, ${tasksPerSecond.toFixed(1)}/s, ${avgTaskDuration.toFixed(3)} s each, ${percent} % succeeded.`,
      )
    },
  }

  function tell(event: AttemptEvent): void {
    const { taskId, attempt, elapsedSeconds } = event
    const { value, error = new Error('The task failed.') } = resultOf(event)
    if (hasFailed(event)) {
      if (logErrors) log?.error(`Task "${taskId}" (attempt ${attempt}): ${error.stack}`)
      else if (logTasks) log?.info(`Task "${taskId}" failed (attempt ${attempt}): ${error.message}`)
      onError?.(taskId, error, attempt)
    } else if (!followed(event)) {
      if (logTasks) log?.info(`Task "${taskId}" succeeded after ${elapsedSeconds.toFixed(3)} s.`)
      onSuccess?.(taskId, unpackValue(value, packing))
    }
  }
}
