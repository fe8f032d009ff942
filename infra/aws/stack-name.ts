// The name of a job's stack, which the CDK's own programs must find as well.

export function stackNameOf(jobId: string): string {
  return `cloud-tasks-${jobId}`
}
