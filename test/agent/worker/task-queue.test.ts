import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { sqlite, Task, TaskError, TaskQueue, Worker } from '../../../agent/public.ts'
import { eventually, jsonLines } from '../agent-run.ts'

const WORKER = join(import.meta.dirname, '../../fixtures/queue-worker.ts')
const LIMIT_MS = 30_000

async function openFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'cloud-tasks-queue-'))
  const children: ChildProcess[] = []
  return {
    file: join(folder, 'tasks.sqlite'),
    journal: join(folder, 'journal'),
    worker(workerId: string): ChildProcess {
      const words = [WORKER, join(folder, 'tasks.sqlite'), join(folder, 'journal'), workerId]
      const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'], timeout: LIMIT_MS })
      children.push(child)
      return child
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

describe('a TaskQueue', { timeout: 60_000 }, () => {
  it('never has one task run by two workers at once, in however many programs', async () => {
    await using folder = await openFolder()
    await using queue = new TaskQueue({ backend: sqlite(folder.file) })
    const names = Array.from({ length: 300 }, (_, i) => `n${i}`)
    const workers = ['a', 'b', 'c'].map(folder.worker)
    const ready = async () => (await jsonLines(folder.journal).catch(() => [])).length === 3
    await eventually('all have started', ready, 20_000)
    const ids = await queue.enqueueAll(names.map(name => new Task({ function: 'note', args: [name] })))
    const results = await Promise.all(ids.map(id => queue.result(id, { timeout: 25 })))
    for (const worker of workers) worker.kill('SIGTERM')
    for (const worker of workers) if (worker.exitCode === null) await once(worker, 'exit')
    assert.ok(new Set(results.map(result => result.value)).size > 1, 'more than one took part')
    const begun = (await jsonLines(folder.journal)).filter(line => line.begins !== undefined)
    assert.deepEqual(begun.map(line => line.name).toSorted(), names.toSorted(), 'each began once')
    assert.deepEqual(
      workers.map(worker => worker.exitCode),
      [0, 0, 0],
    )
  })

  it('loses nothing when a worker is killed, or a task exits in it: another worker gets it', async () => {
    await using folder = await openFolder()
    await using queue = new TaskQueue({ backend: sqlite(folder.file) })
    const first = folder.worker('first')
    const leaving = await queue.enqueue(new Task({ function: 'leave' }))
    const [code] = await once(first, 'exit')
    assert.equal(code, 7)
    assert.equal(queue.backend.find(leaving)?.lastEvent, undefined)
    const second = new Worker(queue.backend, { visibilityTimeout: 1 })
    queue.backend.functions.set('leave', () => 'stayed')
    const done = second.start()
    assert.equal((await queue.result(leaving, { timeout: 20 })).value, 'stayed')
    await second.stop()
    await done
  })

  it('keeps tasks and results in its file for whoever opens it next', async () => {
    await using folder = await openFolder()
    const double = (n: number) => 2 * n
    const first = new TaskQueue({ backend: sqlite(folder.file), tasks: { double } })
    const id = await first.enqueue('double', 21)
    await first.close()
    const second = new TaskQueue({ backend: sqlite(folder.file), tasks: { double } })
    assert.equal((await new Worker(second).processTask(id)).value, 42)
    await second.close()
    await using third = new TaskQueue({ backend: sqlite(folder.file) })
    assert.equal((await third.result(id)).value, 42)
    assert.deepEqual((await third.getTask(id)).args, [21])
  })

  it('carries a result of 10 MB, and any text', async () => {
    await using queue = new TaskQueue({ backend: sqlite(':memory:') })
    const worker = new Worker(queue)
    const long = await queue.enqueue(function repeat(text: string) {
      return text.repeat(10_000_000)
    }, 'x')
    const text = 'é "\\ \u2028 \n 🚀 𝒳'
    const odd = await queue.enqueue(function echo(given: string) {
      return { given }
    }, text)
    const [first, second] = await worker.processTasks([long, odd])
    assert.equal(String(first?.value).length, 10_000_000)
    assert.deepEqual(second?.value, { given: text })
  })

  it('says what is wrong: no such task, no such function, an id twice, two functions of one name', async () => {
    await using queue = new TaskQueue({ backend: sqlite(':memory:') })
    const worker = new Worker(queue)
    await assert.rejects(queue.result('nobody'), /There is no task "nobody" in :memory:/)
    await assert.rejects(worker.processTask('nobody'), /There is no task "nobody"/)
    const id = await queue.enqueue(new Task({ function: 'unknown', taskId: 'one' }))
    assert.match(
      String((await worker.processTask(id)).error),
      /UnknownTask: No function "unknown" is known to this worker/,
    )
    await assert.rejects(queue.enqueue(new Task({ function: 'unknown', taskId: 'one' })), /"one" already/)
    const make = (value: number) => {
      const same = () => value
      return same
    }
    await queue.enqueue(make(1))
    await assert.rejects(queue.enqueue(make(2)), /another function "same"/)
    await assert.rejects(new Worker(queue, { workerType: 'thread' }).start(), /needs the option "tasks"/)
    await assert.rejects(new Worker(queue, { timeout: -1 }).start(), /timeout must be a number/)
    await assert.rejects(
      queue.result(await queue.enqueue(new Task({ function: 'later', delay: 60 })), { timeout: 0.05 }),
      {
        message: /has not ended within 0.05 s/,
      },
    )
  })
})

describe('an inline task', { timeout: 60_000 }, () => {
  it('may throw whether it is to be tried again', async () => {
    await using queue = new TaskQueue({ backend: sqlite(':memory:') })
    const attempts: string[] = []
    const worker = new Worker(queue, { retryDelay: 0, onError: (id, _, attempt) => attempts.push(`${id} ${attempt}`) })
    let tries = 0
    const second = () => {
      if (++tries < 2) throw new TaskError('not yet', 'Busy', true)
      return tries
    }
    const never = () => {
      throw new TaskError('bad input', 'ValueError', false)
    }
    await queue.enqueueAll([
      new Task({ function: second, taskId: 'second' }),
      new Task({ function: never, taskId: 'never' }),
    ])
    const [good, bad] = await worker.processTasks(['second', 'never'])
    assert.equal(good?.value, 2)
    assert.equal(bad?.error?.type, 'ValueError')
    assert.equal(bad?.error?.message, 'bad input')
    assert.deepEqual(attempts.toSorted(), ['never 1', 'second 1'])
  })

  it('is given up when it takes too long, and its late answer is ignored', async () => {
    await using queue = new TaskQueue({ backend: sqlite(':memory:') })
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    let late = false
    const slow = async () => {
      await gate
      late = true
      return 'too late'
    }
    const worker = new Worker(queue, { timeout: 0.1 })
    const result = await worker.processTask(await queue.enqueue(slow))
    assert.equal(result.error?.type, 'TimeoutError')
    open()
    await eventually('the function has ended', () => late)
    assert.equal(worker.getStatus().tasksProcessed, 1)
  })

  it('runs beside others that wait', async () => {
    await using queue = new TaskQueue({ backend: sqlite(':memory:') })
    let inside = 0
    const { promise: all, resolve: open } = Promise.withResolvers<void>()
    const meet = async () => {
      if (++inside === 3) open()
      await all
    }
    const ids = await queue.enqueueAll(Array.from({ length: 3 }, () => new Task({ function: meet })))
    const results = await new Worker(queue, { maxWorkers: 3 }).processTasks(ids)
    assert.ok(results.every(result => result.isSuccess))
  })

  it('finishes when its worker is stopped, and what has not begun stays in the queue', async () => {
    await using queue = new TaskQueue({ backend: sqlite(':memory:') })
    const { promise: gate, resolve: open } = Promise.withResolvers<string>()
    const waits = async (_name: string) => gate
    const running = await queue.enqueue(waits, 'x')
    const next = await queue.enqueue(waits, 'y')
    const worker = new Worker(queue)
    const done = worker.start()
    await eventually('the task runs', () => worker.getStatus().currentTaskId === running)
    const stopped = worker.stop()
    open('finished')
    await stopped
    await done
    assert.equal((await queue.result(running)).value, 'finished')
    assert.equal(queue.backend.find(next)?.lastEvent, undefined)
    assert.equal((await new Worker(queue).processTask(next)).value, 'finished')
  })
})
