// A queue of function calls, with threads for the work.
import { sqlite, TaskQueue, Worker } from 'cloud-tasks'
import * as tasks from './queue-tasks.ts'

await using queue = new TaskQueue({ backend: sqlite(':memory:'), tasks })
const ids = [
  await queue.enqueue('countPrimes', 100_000), // names and arguments are checked by TypeScript
  await queue.enqueue('countPrimes', 10),
  await queue.enqueue('countPrimes', -1),
]

const worker = new Worker(queue, {
  workerType: 'thread',
  maxWorkers: 2,
  tasks: new URL('./queue-tasks.ts', import.meta.url),
})
const working = worker.start()
for (const id of ids) {
  const result = await queue.result(id)
  console.log(result.isSuccess ? result.value : `failed: ${result.error?.message}`)
}
await worker.stop()
await working
