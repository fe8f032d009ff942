// Seed 003, its second half: pools, limits, status, logs and special workers.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deserialize, serialize } from 'node:v8'
import { Result, sqlite, Task, TaskQueue, Worker, type WorkerLogger } from '../../agent/public.ts'
import { eventually } from '../agent/agent-run.ts'

/** Task that might fail. */
function riskyTask(data: string) {
  if (data === 'fail') throw new RangeError('Intentional failure')
  return `Success: ${data}`
}

const memoryQueue = () => new TaskQueue({ backend: sqlite(':memory:') })

describe('seed 003: workers of a queue', { timeout: 60_000 }, () => {
  it('Worker Pooling', async () => {
    await using queue = memoryQueue()
    const runs: string[] = []
    const note = (name: string) => runs.push(name)
    const ids = await queue.enqueueAll(Array.from({ length: 200 }, (_, i) => task(note, `n${i}`)))

    // Create multiple workers for parallel processing
    const workers = Array.from({ length: 4 }, (_, i) => new Worker(queue, { workerId: `worker_${i}` }))

    // Start all workers
    const started = workers.map(worker => worker.start())

    // Let them process tasks
    await Promise.all(ids.map(id => queue.result(id)))

    // Stop all workers
    await Promise.all(workers.map(worker => worker.stop()))
    await Promise.all(started)
    assert.equal(runs.length, 200, 'each task ran once')
  })

  it('Resource Management', async () => {
    await using queue = memoryQueue()
    // Worker with resource limits
    const worker = new Worker(queue, {
      maxMemoryMb: 1024, // Limit memory usage
      maxCpuPercent: 50.0, // Limit CPU usage
      gracefulShutdown: 30.0, // Graceful shutdown timeout
      maxTasks: 6,
    })
    const spin = () => {
      const endMs = performance.now() + 30
      while (performance.now() < endMs);
    }
    await queue.enqueueAll(Array.from({ length: 6 }, () => new Task({ function: spin })))
    const { user, system } = process.cpuUsage()
    const startedMs = performance.now()
    await worker.start()
    const used = process.cpuUsage({ user, system })
    const share = (used.user + used.system) / 1000 / (performance.now() - startedMs)
    assert.ok(share < 0.8, `used ${(share * 100).toFixed(0)} % of a core`)
  })

  it('Worker Status', async () => {
    await using queue = memoryQueue()
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    const waits = async (_name: string) => gate
    const taskId = await queue.enqueue(waits, 'x')
    const worker = new Worker(queue)
    const done = worker.start()
    // Check worker status
    await eventually('the task runs', () => worker.getStatus().currentTaskId === taskId)
    const status = worker.getStatus()
    assert.deepEqual([status.isRunning, status.tasksProcessed, status.tasksFailed], [true, 0, 0])
    assert.ok(status.uptime > 0)
    open()
    await queue.result(taskId)
    await worker.stop()
    await done
  })

  it('Worker Metrics', async () => {
    await using queue = memoryQueue()
    const worker = new Worker(queue)
    const ids = await queue.enqueueAll(['a', 'b', 'c', 'fail'].map(data => task(riskyTask, data)))
    await worker.processTasks(ids)
    // Get detailed metrics
    const metrics = worker.getMetrics()
    assert.ok(metrics.avgTaskDuration > 0)
    assert.ok(metrics.tasksPerSecond > 0)
    assert.equal(metrics.successRate, 0.75)
    assert.equal(metrics.errorRate, 0.25)
  })

  it('Custom Logging', async () => {
    await using queue = memoryQueue()
    const lines: string[] = []
    const write = (level: string) => (text: string) => void lines.push(`${level}: ${text}`)
    const logger: WorkerLogger = {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
    }
    // Worker with custom logger
    const worker = new Worker(queue, {
      logger,
      logLevel: 'info',
      logTasks: true, // Log each task
      logErrors: true, // Log errors with stack traces
      logPerformance: true, // Log performance metrics
    })
    const ids = await queue.enqueueAll(['a', 'fail'].map(data => task(riskyTask, data)))
    await worker.processTasks(ids)
    const text = lines.join('\n')
    assert.match(text, /^info: Task ".*" succeeded after 0\.\d+ s\.$/m)
    assert.match(text, /^error: Task ".*" \(attempt 1\): RangeError: Intentional failure\n {4}at riskyTask/m)
    assert.match(text, /^info: 2 tasks, .* 50\.0 % succeeded\.$/m)
    assert.doesNotMatch(text, /^debug/m)
  })

  it('Specialized Workers', async () => {
    const resizeImage = (name: string) => `resized ${name}`
    const sendMail = (name: string) => `sent ${name}`

    /** Worker specialized for image processing tasks. */
    class ImageProcessingWorker extends Worker<Result> {
      readonly supportedFunctions = ['resizeImage', 'filterImage', 'convertImage']

      /** Check if worker should process this task. */
      override shouldProcessTask(task: Task) {
        return this.supportedFunctions.includes(task.function.name)
      }

      /** Process only supported tasks. */
      override async processTask(taskId: string) {
        const task = await this.queue.getTask(taskId)
        if (!this.shouldProcessTask(task)) {
          return new Result({ isError: true, error: 'Task type not supported by this worker' })
        }
        return super.processTask(taskId)
      }
    }

    await using queue = memoryQueue()
    // Use specialized worker
    const worker = new ImageProcessingWorker(queue)
    const mail = await queue.enqueue(sendMail, 'letter')
    const image = await queue.enqueue(resizeImage, 'cat.png')
    assert.equal((await worker.processTask(image)).value, 'resized cat.png')
    assert.equal((await worker.processTask(mail)).error?.message, 'Task type not supported by this worker')

    const images = await Promise.all(['a', 'b'].map(name => queue.enqueue(resizeImage, name)))
    const done = worker.start()
    await Promise.all(images.map(id => queue.result(id)))
    await worker.stop()
    await done
    const anybody = new Worker(queue)
    assert.equal((await anybody.processTask(mail)).value, 'sent letter', 'left for others')
  })

  it('Worker with Custom Serialization', async () => {
    // What pickle is to Python: Maps, Dates, typed arrays and cycles
    const pickle = {
      stringify: (value: unknown) => serialize(value).toString('base64'),
      parse: (text: string): unknown => deserialize(Buffer.from(text, 'base64')),
    }
    await using queue = new TaskQueue({ backend: sqlite(':memory:'), serializer: pickle, deserializer: pickle })
    const invert = (map: ReadonlyMap<string, number>) => new Map([...map].map(([key, value]) => [value, key]))
    const worker = new Worker(queue, {
      serializer: pickle, // Custom serializer
      deserializer: pickle, // Custom deserializer
    })
    const taskId = await queue.enqueue(invert, new Map([['one', 1]]))
    const result = await worker.processTask(taskId)
    assert.deepEqual(result.value, new Map([[1, 'one']]))
  })
})

function task(run: (data: string) => unknown, data: string): Task {
  return new Task({ function: run, args: [data] })
}
