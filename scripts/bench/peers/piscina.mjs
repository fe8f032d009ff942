// Piscina: threads in one process, nothing durable; 1000 tasks in flight.
import Piscina from 'piscina'

const [countText = '1000'] = process.argv.slice(2)
const count = Number(countText)
const pool = new Piscina({
  filename: new URL('piscina-task.mjs', import.meta.url).href,
  minThreads: 2,
  maxThreads: 2,
  concurrentTasksPerWorker: 100,
})
await pool.run({ number: 0 })
let next = 0
const startedAt = performance.now()
await Promise.all(
  Array.from({ length: 1000 }, async () => {
    while (next < count) await pool.run({ task_id: `task-${next}`, data: { number: next++ } })
  }),
)
const seconds = (performance.now() - startedAt) / 1000
await pool.destroy()
process.stdout.write(`${JSON.stringify({ perSecond: count / seconds })}\n`)
