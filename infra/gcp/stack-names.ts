// Names of what the stack of a job makes on Google's cloud, where others than the stack have to know them.

/** The stack's own: programs of VMs and manager, and the manager's notes. Names of buckets are shared by the whole world. */
export function stackBucket(projectId: string, jobId: string): string {
  return `ct-${projectId.replaceAll(/[^a-z0-9-]/g, '-')}-${jobId}`
}

/** In that bucket: what the manager alone reads and writes. */
export const NOTES_PREFIX = 'notes/'
/** In that bucket: what VMs and the manager read and must not write. */
export const PROGRAMS_PREFIX = 'programs/'
