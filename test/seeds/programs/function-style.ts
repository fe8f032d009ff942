// Seed 002, "Basic Usage", line for line.
import { type TaskWorker, Worker } from '../../../agent/public.ts'

export function processTask(taskId: string, taskData: object, _worker: TaskWorker): [boolean, string] {
  try {
    console.log(`Processing task ${taskId}`)
    // Your processing logic here
    console.log(`Task data: ${JSON.stringify(taskData)}`)
    return [false, 'Task completed successfully']
  } catch (error) {
    return [false, String(error)] // Don't retry on failure
  }
}

// Create and start the worker
if (import.meta.main) {
  const worker = new Worker(processTask, { args: process.argv.slice(2) })
  await worker.start()
}
