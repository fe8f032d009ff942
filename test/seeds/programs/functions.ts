// Functions that a TaskQueue's worker finds by name in threads and processes.
import { threadId } from 'node:worker_threads'

export function placeOf(): string {
  return threadId > 0 ? `thread ${threadId}` : `process ${process.pid}`
}
