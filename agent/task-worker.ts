// The third argument of a task function: what it may know and say while it runs.
import type { Json } from '../core/task.ts'

export interface TaskWorker {
  readonly provider: string | undefined
  readonly projectId: string | undefined
  readonly jobId: string | undefined
  readonly queueName: string | undefined
  readonly exactlyOnceQueue: boolean
  readonly eventLogToQueue: boolean
  readonly eventLogQueueName: string | undefined
  readonly eventLogToFile: boolean
  readonly eventLogFile: string | undefined
  /** Seconds. */
  readonly keepaliveInterval: number
  readonly instanceType: string | undefined
  readonly numCpus: number | undefined
  readonly memoryGb: number | undefined
  readonly localSsdGb: number | undefined
  readonly bootDiskGb: number | undefined
  readonly isSpot: boolean | undefined
  readonly pricePerHour: number | undefined
  readonly numSimultaneousTasks: number
  /** Seconds. */
  readonly maxRuntime: number
  /** GB of 1024³ bytes. */
  readonly maxMemoryAllowedPerTask: number | undefined
  /** Seconds. */
  readonly shutdownGracePeriod: number
  readonly retryOnExit: boolean | undefined
  readonly retryOnException: boolean | undefined
  readonly retryOnTimeout: boolean | undefined
  /** Seconds. */
  readonly simulateSpotTerminationAfter: number | undefined
  /** Seconds. */
  readonly simulateSpotTerminationDelay: number | undefined

  /** The VM is about to be taken away. May be polled even by a function that never awaits. */
  readonly receivedTerminationNotice: boolean
  /** The agent was asked to stop. May be polled even by a function that never awaits. */
  readonly receivedShutdownRequest: boolean
  /** Seconds left once there was a termination notice. */
  readonly secondsUntilTermination: number | undefined

  /** The `type` of the task, where it has one. */
  readonly taskType: string | undefined
  /** 1 for the first attempt at this task. */
  readonly attempt: number
  /** What an earlier attempt saved last; undefined if nothing. */
  readonly checkpoint: Json | undefined
  /** If this attempt is interrupted, the next one gets `value` as `checkpoint`. Safe when the call returns. */
  saveCheckpoint(value: Json): void
  /** `fraction` of 0 … 1 that is done. */
  progress(fraction: number, note?: string): void
}
