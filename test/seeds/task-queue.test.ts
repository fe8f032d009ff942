// Seed 003: TaskQueue and Worker, sample by sample, in the order of the document.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deserialize, serialize } from 'node:v8'
import { Result, sqlite, Task, TaskQueue, Worker, type WorkerLogger } from '../../agent/public.ts'
import { eventually } from '../agent/agent-run.ts'

const tasksModule = new URL('./programs/functions.ts', import.meta.url)

/** Process some data. */
async function processData(data: string) {
  await new Promise(resolve => setTimeout(resolve, 10)) // Simulate work
  return `Processed: ${data}`
}

/** Task that might fail. */
function riskyTask(data: string) {
  if (data === 'fail') throw new RangeError('Intentional failure')
  return `Success: ${data}`
}

const memoryQueue = () => new TaskQueue({ backend: sqlite(':memory:') })

describe('seed 003: a queue of function calls', { timeout: 60_000 }, () => {
  it('Basic Worker Usage', async () => {
    // Create a queue and worker
    await using queue = new TaskQueue({ backend: sqlite(':memory:') })
    const worker = new Worker(queue.backend)

    // Enqueue a task
    const taskId = await queue.enqueue(processData, 'test_data')

    // Start worker to process the task
    let workerTask: Promise<void> | undefined
    try {
      workerTask = worker.start()
      const result = await queue.result(taskId) // Give worker time to process
      assert.equal(result.value, 'Processed: test_data')
    } finally {
      await worker.stop()
    }
    await workerTask
  })

  it('Starting and Stopping Workers', async () => {
    await using queue = memoryQueue()
    const worker = new Worker(queue.backend)
    const workerTask = worker.start()
    await eventually('the worker runs', () => worker.getStatus().isRunning)
    await worker.stop()
    await workerTask
    assert.equal(worker.getStatus().isRunning, false)
    await worker.stop() // a second time is nothing
  })

  it('Continuous Processing', async () => {
    await using queue = memoryQueue()
    const worker = new Worker(queue)
    const startedMs = Date.now()
    await worker.run({ duration: 0.2 }) // Run for 0.2 seconds
    assert.ok(Date.now() - startedMs >= 190)
  })

  it('Basic Configuration', async () => {
    await using queue = memoryQueue()
    const worker = new Worker(queue, {
      pollInterval: 0.01, // Check for tasks every 10 ms
      maxTasks: 100, // Process max 100 tasks then stop
      timeout: 300.0, // Task timeout in seconds
      retryFailed: true, // Automatically retry failed tasks
    })
    const ids = await queue.enqueueAll(Array.from({ length: 120 }, (_, i) => task(riskyTask, `n${i}`)))
    await worker.start()
    assert.equal(worker.getStatus().tasksProcessed, 100)
    assert.equal((await queue.result(ids[99] ?? '')).value, 'Success: n99')
  })

  for (const [workerType, maxWorkers] of [
    ['thread', 4], // Multi-threaded worker
    ['process', 2], // Process-based worker (for CPU-bound tasks)
  ] as const) {
    it(`Concurrency Settings: ${workerType}`, async () => {
      await using queue = memoryQueue()
      const worker = new Worker(queue, { maxWorkers, workerType, tasks: tasksModule })
      const ids = await queue.enqueueAll(Array.from({ length: 8 }, () => new Task({ function: 'placeOf' })))
      const done = worker.start()
      const places = await Promise.all(ids.map(async id => (await queue.result(id, { timeout: 30 })).value))
      await worker.stop()
      await done
      assert.ok(
        places.every(place => typeof place === 'string' && place.startsWith(workerType)),
        String(places),
      )
    })
  }

  it('Single Task Processing', async () => {
    await using queue = memoryQueue()
    const worker = new Worker(queue)
    await queue.enqueue(riskyTask, 'another')
    const taskId = await queue.enqueue(riskyTask, 'this one')

    // Process a specific task
    const result = await worker.processTask(taskId)

    assert.ok(result.isSuccess)
    assert.equal(result.value, 'Success: this one')
    assert.equal(worker.getStatus().tasksProcessed, 1, 'and no other')
  })

  it('Batch Processing', async () => {
    await using queue = memoryQueue()
    const worker = new Worker(queue)
    const tasks = ['a', 'fail', 'c'].map(data => task(riskyTask, data))

    // Process multiple tasks
    const taskIds: string[] = []
    for (const one of tasks) taskIds.push(await queue.enqueue(one))
    const results = await worker.processTasks(taskIds)

    const lines = results.map((result, i) =>
      result.isSuccess ? `Task ${i}: ${result.value}` : `Task ${i} failed: ${result.error}`,
    )
    assert.deepEqual(lines, [
      'Task 0: Success: a',
      'Task 1 failed: RangeError: Intentional failure',
      'Task 2: Success: c',
    ])
  })

  it('Automatic Task Discovery, in order of priority', async () => {
    await using queue = memoryQueue()
    const order: string[] = []
    // Worker automatically finds and processes queued tasks
    const worker = new Worker(queue, { pollInterval: 0.05, maxTasks: 3, onSuccess: taskId => order.push(taskId) })
    const note = (_name: string) => {}
    await queue.enqueue(new Task({ function: note, args: ['x'], taskId: 'last', priority: 'low' }))
    await queue.enqueue(new Task({ function: note, args: ['x'], taskId: 'middle' }))
    await queue.enqueue(new Task({ function: note, args: ['x'], taskId: 'first', priority: 'high' }))
    await worker.start()
    assert.deepEqual(order, ['first', 'middle', 'last'])
  })

  it('Task Error Handling', async () => {
    await using queue = memoryQueue()
    const attempts: number[] = []
    // Worker with error handling
    const worker = new Worker(queue, {
      maxRetries: 3, // Retry failed tasks up to 3 times
      retryDelay: 0.02, // Wait between retries
      continueOnError: true, // Continue processing other tasks
      onError: (_taskId, _error, retryCount) => attempts.push(retryCount),
    })

    // Process task that will fail
    const failing = new Task({ function: riskyTask, args: ['fail'] })
    const taskId = await queue.enqueue(failing)

    const result = await worker.processTask(taskId)
    assert.equal(result.isError, true)
    assert.match(String(result.error), /RangeError: Intentional failure/)
    assert.deepEqual(attempts, [1, 2, 3, 4])
    assert.equal((await queue.getTask(taskId)).attempts, 4)
  })

  it('Worker Error Callbacks', async () => {
    await using queue = memoryQueue()
    const lines: string[] = []
    /** Called when a task fails. */
    const onTaskError = (taskId: string, error: Error, retryCount: number) =>
      lines.push(`Task ${taskId} failed (attempt ${retryCount}): ${error.message}`)
    /** Called when a task succeeds. */
    const onTaskSuccess = (taskId: string, result: unknown) => lines.push(`Task ${taskId} succeeded: ${result}`)

    // Worker with error callbacks
    const worker = new Worker(queue, { onError: onTaskError, onSuccess: onTaskSuccess })
    await queue.enqueue(new Task({ function: riskyTask, args: ['fail'], taskId: 'bad' }))
    await queue.enqueue(new Task({ function: riskyTask, args: ['ok'], taskId: 'good' }))
    await worker.processTasks(['bad', 'good'])
    assert.deepEqual(lines.toSorted(), [
      'Task bad failed (attempt 1): Intentional failure',
      'Task good succeeded: Success: ok',
    ])
  })

  it('stops at the first task that fails for good, where that is asked for', async () => {
    await using queue = memoryQueue()
    await queue.enqueueAll(
      ['fail', ...Array.from({ length: 2000 }, (_, i) => `n${i}`)].map(data => task(riskyTask, data)),
    )
    const worker = new Worker(queue, { continueOnError: false })
    await worker.start() // ends by itself
    const { tasksProcessed, tasksFailed } = worker.getStatus()
    assert.equal(tasksFailed, 1)
    assert.ok(tasksProcessed < 2000, `${tasksProcessed} processed`)
  })

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
