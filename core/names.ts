// Names derived from other names. Must stay equal to the Python system's, which shares queues and VMs with us.

/** Queue that agents send their events to. */
export function eventQueueName(taskQueueName: string): string {
  return `${taskQueueName}-events`
}

/** Queue of tasks that are out of budget, each with the history of its attempts. */
export function deadLetterQueueName(taskQueueName: string): string {
  return `${taskQueueName}-dead`
}

/** Name prefix and network tag of a job's VMs. */
export function vmNamePrefix(jobId: string): string {
  return `rmscr-${jobId}`
}
