// Loading without safety: parses the task file in one go, writes every task to the job DB and to the queue.
import { readFileSync } from 'node:fs'
import { BATCH, inTransaction, openJob, openQueues } from './database.ts'

const [taskFile = '', folder = ''] = process.argv.slice(2)
const startedAt = performance.now()
const tasks = JSON.parse(readFileSync(taskFile, 'utf8')) as readonly { task_id: string; data: unknown }[]
const queues = openQueues(folder)
const job = openJob(folder)
const addTask = job.prepare('INSERT INTO tasks (task_id, data, status) VALUES (?, ?, ?)')
const send = queues.prepare('INSERT INTO tasks (body) VALUES (?)')
for (let from = 0; from < tasks.length; from += BATCH) {
  const batch = tasks.slice(from, from + BATCH)
  inTransaction(job, () => {
    for (const task of batch) addTask.run(task.task_id, JSON.stringify(task.data), 'in_queue_original')
  })
  inTransaction(queues, () => {
    for (const task of batch) send.run(JSON.stringify(task))
  })
}
queues.close()
job.close()
const seconds = (performance.now() - startedAt) / 1000
process.stdout.write(`${JSON.stringify({ perSecond: tasks.length / seconds, seconds })}\n`)
