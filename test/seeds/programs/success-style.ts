// Seed 001, "Basic Usage", line for line; a task whose data says so fails.
import { Worker } from '../../../agent/public.ts'

function processTask(taskId: string, taskData: { fail?: string }): [boolean, string] {
  try {
    console.log(`Processing task ${taskId}`)
    // Your processing logic here
    if (taskData.fail) throw new Error(taskData.fail)
    console.log(`Task data: ${JSON.stringify(taskData)}`)
    return [true, 'Task completed successfully']
  } catch (error) {
    return [false, String(error)]
  }
}

// Create and start the worker
if (import.meta.main) {
  const worker = new Worker(processTask, { returns: 'success' })
  await worker.start()
}
