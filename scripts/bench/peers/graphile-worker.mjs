// Graphile Worker on PostgreSQL, tuned as its performance page says: batches fetched ahead, completions in batches.
import { makeWorkerUtils, run } from 'graphile-worker'

const [countText = '1000', connectionString = ''] = process.argv.slice(2)
const count = Number(countText)
const utils = await makeWorkerUtils({ connectionString })
await utils.migrate()
const addedAt = performance.now()
for (let from = 0; from < count; from += 5000) {
  const jobs = Array.from({ length: Math.min(5000, count - from) }, (_, index) => ({
    identifier: 'task',
    payload: { task_id: `task-${from + index}`, data: { number: from + index } },
  }))
  await utils.addJobs(jobs)
}
const addSeconds = (performance.now() - addedAt) / 1000
await utils.release()

let done = 0
let startedAt = 0
let finish = () => {}
const drained = new Promise(resolve => {
  finish = resolve
})
const runner = await run({
  preset: {
    worker: {
      connectionString,
      concurrentJobs: 24,
      maxPoolSize: 10,
      localQueue: { size: 500 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  },
  noHandleSignals: true,
  taskList: {
    task: () => {
      if (startedAt === 0) startedAt = performance.now()
      if (++done === count) finish()
    },
  },
})
await drained
const seconds = (performance.now() - startedAt) / 1000
await runner.stop()
process.stdout.write(`${JSON.stringify({ perSecond: count / seconds, addsPerSecond: count / addSeconds })}\n`)
process.exit(0)
