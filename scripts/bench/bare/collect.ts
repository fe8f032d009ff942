// A collector without safety: no duplicates, no order, no fences. Events queue → job DB, until all tasks are done.
import { setTimeout as sleep } from 'node:timers/promises'
import { BATCH, inTransaction, openEvents, openJob } from './database.ts'

const [folder = '', countText = '0'] = process.argv.slice(2)
const total = Number(countText)
const events = openEvents(folder)
const job = openJob(folder)
const receive = events.prepare('SELECT id, body FROM events ORDER BY id LIMIT ?')
const acknowledge = events.prepare('DELETE FROM events WHERE id <= ?')
const keep = job.prepare('INSERT INTO events (task_id, body) VALUES (?, ?)')
const complete = job.prepare('UPDATE tasks SET status = ?, result = ? WHERE task_id = ?')

let count = 0
let startedAt = 0
let firstCount = 0
while (count < total) {
  const rows = receive.all(BATCH) as unknown as readonly { id: number; body: string }[]
  const lastId = rows.at(-1)?.id
  if (lastId === undefined) {
    await sleep(5)
    continue
  }
  inTransaction(job, () => {
    for (const { body } of rows) {
      const event = JSON.parse(body) as { task_id: string; result: unknown }
      keep.run(event.task_id, body)
      complete.run('completed', JSON.stringify(event.result), event.task_id)
    }
  })
  inTransaction(events, () => {
    acknowledge.run(lastId)
  })
  count += rows.length
  if (startedAt === 0) {
    startedAt = performance.now()
    firstCount = count
  }
}
const seconds = (performance.now() - startedAt) / 1000
events.close()
job.close()
process.stdout.write(`${JSON.stringify({ perSecond: (count - firstCount) / seconds, seconds })}\n`)
