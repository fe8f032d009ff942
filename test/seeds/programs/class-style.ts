// Seed 000, its three samples in one class, line for line.
import { Worker } from '../../../agent/public.ts'

class MyTaskWorker extends Worker {
  /** Process a single task. */
  override async processTask(taskId: string, taskData: object) {
    console.log(`Processing task ${taskId}`)
    // Your processing logic here
    console.log(`Task data: ${JSON.stringify(taskData)}`)
    // Return results if needed
    return { status: 'success', processed_at: '2023-01-01T12:00:00Z' }
  }

  /** Implement custom health check logic. */
  override async healthCheck() {
    // Check resources, connections, etc.
    return { status: 'healthy', queue_name: this.queueName }
  }

  /** Clean up resources before shutting down. */
  override async shutdown() {
    console.log(`Worker shutting down... ${JSON.stringify(await this.healthCheck())}`)
    // Close connections, flush logs, etc.
    await super.shutdown()
  }
}

// Run the worker
if (import.meta.main) {
  const worker = new MyTaskWorker({
    provider: 'local',
    queueName: 'my-task-queue',
    configFile: 'cloud_tasks_config.yaml',
    pollInterval: 0.05,
    batchSize: 2,
    visibilityTimeout: 30,
  })
  await worker.run()
}
