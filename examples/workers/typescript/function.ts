// A function with a command line: `node function.ts --task-file tasks.json`, or with --provider and --job-id on a queue.
import { type TaskWorker, Worker } from 'cloud-tasks'

/** Sums the squares of 1 … n, and can go on where an interrupted attempt has stopped. */
function sumOfSquares(taskId: string, { n }: { n: number }, worker: TaskWorker): [boolean, object] {
  const saved = worker.checkpoint as { i: number; sum: number } | undefined
  let { i, sum } = saved ?? { i: 0, sum: 0 }
  while (i < n) {
    i++
    sum += i * i
    if (worker.receivedTerminationNotice) worker.saveCheckpoint({ i, sum })
  }
  return [false, { taskId, sum }] // false: do not try again
}

if (import.meta.main) {
  const worker = new Worker(sumOfSquares, { args: process.argv.slice(2) })
  await worker.start()
}
