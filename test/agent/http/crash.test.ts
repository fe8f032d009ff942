import assert from 'node:assert/strict'
import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { eventually, tasks } from '../agent-run.ts'
import { openServeBench, type RunningServer, type ServeBench } from './serve-run.ts'

describe('the HTTP server among many, killed and started again', { timeout: 120_000, concurrency: 2 }, () => {
  it('never lets two of 200 concurrent claimers hold one task', async () => {
    await using bench = await openServeBench()
    const count = 1000
    await bench.load(tasks(count))
    const server = await bench.start()
    const holders = new Map<string, string>()
    const done = new Set<string>()
    await Promise.all(
      Array.from({ length: 200 }, async (_, worker) => {
        for (;;) {
          const { status, json } = await server.claim({ worker_id: `w${worker}` })
          if (status === 404) return
          const { id } = json.task
          assert.equal(holders.get(id), undefined, `${id} is held by two`)
          assert.ok(!done.has(id), `${id} was handed out after its end`)
          holders.set(id, `w${worker}`)
          assert.equal(json.task.claimed_by, `w${worker}`)
          if (worker % 3 === 0) await server.ask(`/tasks/${id}/heartbeat`, {})
          holders.delete(id)
          done.add(id)
          assert.equal((await server.ask(`/tasks/${id}/complete`, { result: worker })).status, 200)
        }
      }),
    )
    assert.equal(done.size, count)
    const events = await bench.events()
    assert.equal(events.length, count)
    assert.equal(new Set(events.map(event => event.task_id)).size, count)
    assert.deepEqual(await bench.left(), [])
  })

  it('shares a queue with another server, and no task is held at both', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(200))
    const servers = await Promise.all(['one', 'two'].map(name => bench.start('--state-file', `${name}.sqlite`)))
    const ids = await Promise.all(
      servers.map(async server => {
        const some = await Promise.all(Array.from({ length: 150 }, () => server.claim()))
        return some.flatMap(({ status, json }) => (status === 200 ? [json.task.id as string] : []))
      }),
    )
    assert.equal(new Set(ids.flat()).size, 200)
    assert.equal(ids.flat().length, 200)
  })

  it('knows its claims after kill -9: they can be ended, and nobody else gets them', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(4))
    const first = await bench.start()
    for (let i = 0; i < 3; i++) await first.claim()
    assert.equal((await first.ask('/tasks/task-1/complete', { result: 'before' })).status, 200)
    await killed(first)

    const second = await bench.start()
    assert.equal((await second.ask('/tasks/task-2')).json.task.status, 'claimed')
    assert.equal((await second.ask('/tasks/task-2/complete', { result: 'after' })).status, 200)
    assert.equal((await second.ask('/tasks/task-3/heartbeat', {})).status, 200)
    assert.equal((await second.ask('/tasks/task-1/complete', { result: 'before' })).status, 200) // told before the kill
    assert.equal((await second.claim()).json.task.id, 'task-4')
    assert.equal((await second.claim()).status, 404)
    const events = await bench.events()
    assert.deepEqual(
      events.map(event => [event.task_id, event.result]),
      [
        ['task-1', 'before'],
        ['task-2', 'after'],
      ],
    )
  })

  it('gives a claim up after a restart when the queue has handed the task to somebody else meanwhile', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(1))
    const lease = ['--visibility-timeout', '1']
    const first = await bench.start(...lease)
    await first.claim()
    await killed(first)
    const [delivery] = await bench.tasks.receive({ maxMessages: 1, waitSeconds: 20 }) // when the lease has ended
    assert.ok(delivery)
    const second = await bench.start(...lease)
    await eventually(
      'the claim is given up',
      async () => (await second.ask('/tasks/task-1')).json.task.status === 'pending',
    )
    assert.equal((await second.ask('/tasks/task-1/complete', { result: 1 })).status, 409)
    assert.equal((await bench.events()).length, 0)
  })

  it('loses no task when it is killed again and again in the middle of claims and completions', async () => {
    await using bench = await openServeBench()
    const count = 240
    await bench.load(tasks(count))
    const completed = new Set<string>()
    for (let round = 1; round <= 5; round++) {
      const server = await bench.start('--visibility-timeout', '1')
      const workers = Array.from({ length: 20 }, (_, i) => work(server, `w${round}-${i}`, completed))
      const target = completed.size + count / 6
      if (round < 5) await eventually('enough is done', () => completed.size >= target, 10_000)
      else await eventually('all is done', async () => (await depthOf(bench)) === 0, 20_000)
      await killed(server) // under the requests of 20 workers
      await Promise.all(workers)
    }
    const results = (await bench.events()).filter(event => event.event_type === 'task_completed')
    const ids = new Set(results.map(event => event.task_id))
    assert.equal(ids.size, count)
    for (const id of completed) assert.ok(ids.has(id), `${id} was answered 200 and has no result`)
  })

  it('ends with 0 on SIGTERM: waiting claims are answered, and claims live on with the next server', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(1))
    const first = await bench.start()
    await first.claim()
    const waiting = first.claim({ wait_seconds: 30 })
    assert.equal((await first.claim()).status, 404) // by now the other one waits
    first.process.kill('SIGTERM')
    assert.equal((await waiting).status, 404)
    assert.equal(await first.exit, 0)
    const second = await bench.start()
    assert.equal((await second.ask('/tasks/task-1/complete', { result: 1 })).status, 200)
  })

  it('answers 503 while results are not accepted, keeps the claim, and takes the same request later', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(1))
    const server = await bench.start()
    await server.claim()
    const inTheWay = join(bench.folder, 'cloud', 'queues', 'job-events.sqlite')
    await mkdir(inTheWay) // where the events queue is to be
    const refused = await server.ask('/tasks/task-1/complete', { result: 1 })
    assert.deepEqual([refused.status, refused.json.code], [503, 'unavailable'])
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.equal((await server.ask('/tasks/task-1')).json.task.status, 'claimed')
    await rmdir(inTheWay)
    assert.equal((await server.ask('/tasks/task-1/complete', { result: 1 })).status, 200)
    assert.equal((await bench.events()).length, 1)
  })

  it('does not share its state file with another server, nor with another queue', async () => {
    await using bench = await openServeBench()
    const first = await bench.start()
    await assert.rejects(bench.start(), /another server uses it/)
    await killed(first)
    await assert.rejects(
      bench.start('--queue-name', 'other', '--state-file', '.cloud-tasks/serve/job.sqlite'),
      /belongs to queue "job"/,
    )
  })
})

async function killed(server: RunningServer): Promise<void> {
  server.process.kill('SIGKILL')
  assert.equal(await server.exit, 'SIGKILL')
}

async function depthOf(bench: ServeBench): Promise<number> {
  const { ready = 0, leased = 0, delayed = 0 } = (await bench.tasks.admin.depth()) ?? {}
  return ready + leased + delayed
}

/** Works until the server is gone. */
async function work(server: RunningServer, name: string, completed: Set<string>): Promise<void> {
  try {
    for (;;) {
      const { status, json } = await server.claim({ worker_id: name, lease_seconds: 2, wait_seconds: 1 })
      if (status === 404) continue
      if (Math.random() < 0.05) continue // this worker has died over its task
      const ended = await server.ask(`/tasks/${json.task.id}/complete`, { result: name })
      if (ended.status === 200) completed.add(json.task.id)
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error // fetch failed: the server was killed
  }
}
