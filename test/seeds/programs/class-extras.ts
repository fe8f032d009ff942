// Seed 000, "Future Enhancements" and batch processing: routing by type, middleware, batches.
import { Worker } from '../../../agent/public.ts'

const [how, ...args] = process.argv.slice(2)

if (how === 'batch') {
  await new Worker({
    args,
    batchSize: 4,
    processBatch: async tasks =>
      tasks.map(({ taskId }) => (taskId === 'task-3' ? new Error('not this one') : tasks.length)),
  }).start()
} else {
  await new Worker({ args })
    .use(async (task, next) => ({ type: task.taskType, answer: await next() }))
    .use(async (task, next) => (task.attempt > 1 ? 'too often' : next()))
    .route('resize', (taskId, { width }: { width: number }) => `${taskId} is ${width} wide`)
    .route('again', () => [true, 'once more'])
    .start()
}
