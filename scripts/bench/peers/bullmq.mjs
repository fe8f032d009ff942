// BullMQ 5 on Redis: the queue is filled first, then drained by one worker, in its process or sandboxed in two.
import { Queue, Worker } from 'bullmq'

const [mode = 'inline', countText = '1000', portText = '6379'] = process.argv.slice(2)
const count = Number(countText)
const connection = { host: '127.0.0.1', port: Number(portText), maxRetriesPerRequest: null }
const queue = new Queue('bench', { connection })
const addedAt = performance.now()
for (let from = 0; from < count; from += 1000) {
  const jobs = Array.from({ length: Math.min(1000, count - from) }, (_, index) => ({
    name: 'task',
    data: { task_id: `task-${from + index}`, data: { number: from + index } },
  }))
  await queue.addBulk(jobs)
}
const addSeconds = (performance.now() - addedAt) / 1000

const task = mode === 'inline' ? async () => null : new URL('bullmq-task.cjs', import.meta.url).pathname
const worker = new Worker('bench', task, { connection, autorun: false, concurrency: mode === 'inline' ? 100 : 2 })
let done = 0
let startedAt = 0
const drained = new Promise((resolve, reject) => {
  worker.on('completed', () => {
    if (startedAt === 0) startedAt = performance.now() // process starts do not count
    if (++done === count) resolve()
  })
  worker.on('failed', (_, error) => reject(error))
  worker.on('error', reject)
})
worker.run().catch(() => undefined)
await drained
const seconds = (performance.now() - startedAt) / 1000
await worker.close()
await queue.obliterate({ force: true })
await queue.close()
process.stdout.write(`${JSON.stringify({ perSecond: (count - 1) / seconds, addsPerSecond: count / addSeconds })}\n`)
process.exit(0)
