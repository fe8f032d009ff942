// The words in which the job DB tells how a task stands. All but `completed_with_retry` are the Python system's.

export const UNFINISHED_STATUSES = [
  'pending', // in the DB, perhaps not in the queue
  'in_queue_original', // in the queue or running; also after a preemption
  'completed_with_retry', // returned, and asked for another attempt
  'exception_with_retry',
  'timed_out_with_retry',
  'exited_without_status_with_retry',
] as const

export const FINAL_STATUSES = [
  'completed',
  'exception',
  'timed_out',
  'exited_without_status',
  'failed', // out of budget: in the dead-letter queue
] as const

export type FinalStatus = (typeof FINAL_STATUSES)[number]
export type TaskStatus = (typeof UNFINISHED_STATUSES)[number] | FinalStatus

export const TASK_STATUSES: readonly TaskStatus[] = [...UNFINISHED_STATUSES, ...FINAL_STATUSES]

export type StatusCounts = Readonly<Record<TaskStatus, number>>

export function isFinal(status: TaskStatus): status is FinalStatus {
  return FINAL_STATUSES.some(final => final === status)
}

export function totalCount(counts: StatusCounts): number {
  return sum(counts, TASK_STATUSES)
}

export function unfinishedCount(counts: StatusCounts): number {
  return sum(counts, UNFINISHED_STATUSES)
}

function sum(counts: StatusCounts, statuses: readonly TaskStatus[]): number {
  return statuses.reduce((total, status) => total + counts[status], 0)
}
