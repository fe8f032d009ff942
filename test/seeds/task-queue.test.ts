// Seed 003: TaskQueue and Worker, sample by sample, in the order of the document; the rest is in queue-worker.test.ts.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sqlite, Task, TaskQueue, Worker } from '../../agent/public.ts'
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
})

function task(run: (data: string) => unknown, data: string): Task {
  return new Task({ function: run, args: [data] })
}
