import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { eventually, tasks } from '../agent-run.ts'
import { KEY, OTHER_KEY, openServeBench } from './serve-run.ts'

describe('the HTTP task API', { timeout: 60_000, concurrency: 2 }, () => {
  it('hands out a task, takes its result, and says 404 when there is none', async () => {
    await using bench = await openServeBench()
    await bench.load([{ task_id: 'a', data: { x: 1 }, type: 'sum', priority: 'high' }])
    const server = await bench.start()
    const { status, json } = await server.claim()
    assert.equal(status, 200)
    const { task } = json
    assert.deepEqual(
      [task.id, task.type, task.parameters, task.priority, task.created_at, task.claimed_by, task.attempt],
      ['a', 'sum', { x: 1 }, 'high', null, 'worker-1', 1],
    )
    assert.ok(Math.abs(Date.parse(task.claimed_at) - Date.now()) < 10_000)
    assert.equal((await server.claim()).status, 404)

    const ended = await server.ask('/tasks/a/complete', { result: { y: 2 } })
    assert.deepEqual([ended.status, ended.json.status, ended.json.will_retry], [200, 'completed', false])
    const shown = await server.ask('/tasks/a')
    assert.deepEqual([shown.json.task.status, shown.json.task.result], ['completed', { y: 2 }])
    const [event, ...more] = await bench.events()
    assert.deepEqual(more, [])
    assert.deepEqual([event?.event_type, event?.task_id, event?.result], ['task_completed', 'a', { y: 2 }])
    assert.deepEqual(await bench.left(), [])
  })

  it('answers with and without /v1', async () => {
    await using bench = await openServeBench()
    const server = await bench.start()
    for (const base of ['', '/v1']) {
      const answer = await fetch(`http://127.0.0.1:${server.port}${base}/health`)
      assert.equal(answer.status, 200)
    }
    assert.equal((await fetch(`http://127.0.0.1:${server.port}/v2/health`)).status, 404)
  })

  it('keeps every digit of numbers that JavaScript cannot hold', async () => {
    await using bench = await openServeBench()
    const server = await bench.start()
    await server.ask('/tasks', '{"id":"big","parameters":{"n":12345678901234567890}}')
    await server.claim()
    await server.ask('/tasks/big/complete', '{"result":98765432109876543210}')
    const answer = await fetch(`${server.url}/tasks/big`, { headers: { authorization: `Bearer ${KEY}` } })
    const text = await answer.text()
    assert.match(text, /12345678901234567890/)
    assert.match(text, /98765432109876543210/)
  })

  it('takes a completion twice as once, and another word after it with 409', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(1))
    const server = await bench.start()
    await server.claim()
    const both = await Promise.all([1, 2].map(() => server.ask('/tasks/task-1/complete', { result: 5 })))
    assert.deepEqual(
      both.map(({ status }) => status),
      [200, 200],
    )
    assert.equal((await server.ask('/tasks/task-1/complete', { result: 5 })).status, 200)
    const failed = await server.ask('/tasks/task-1/fail', { error: 'late' })
    assert.deepEqual([failed.status, failed.json.code], [409, 'already_ended'])
    assert.equal((await bench.events()).length, 1)
  })

  it('refuses to end what nobody has claimed (409) or nobody knows (404)', async () => {
    await using bench = await openServeBench()
    const server = await bench.start()
    const created = await server.ask('/tasks', { type: 'a', parameters: { x: 1 } })
    assert.equal(created.status, 201)
    const { id } = created.json.task
    assert.equal((await server.ask(`/tasks/${id}/complete`, { result: 1 })).json.code, 'not_claimed')
    for (const word of ['complete', 'fail', 'heartbeat']) {
      const answer = await server.ask(`/tasks/nobody/${word}`, { result: 1, error: 'x' })
      assert.deepEqual([word, answer.status], [word, 404])
    }
    assert.equal((await server.ask('/tasks/nobody')).status, 404)
  })

  it('lets a claim end with its lease: 409 for who comes late, and the task is handed out again', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(1))
    const server = await bench.start()
    await server.claim({ lease_seconds: 1 })
    const again = await server.claim({ worker_id: 'worker-2', wait_seconds: 20 })
    assert.deepEqual([again.status, again.json.task.id, again.json.task.claimed_by], [200, 'task-1', 'worker-2'])
    const late = await server.ask('/tasks/task-1/complete', { result: 1, worker_id: 'worker-1' })
    assert.deepEqual([late.status, late.json.code], [409, 'claim_expired'])
    assert.equal((await server.ask('/tasks/task-1/complete', { result: 2, worker_id: 'worker-2' })).status, 200)
    assert.equal((await bench.events()).length, 1)
  })

  it('says 409 after the lease also while nobody else has come', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(1))
    const server = await bench.start()
    await server.claim({ lease_seconds: 1 })
    await eventually(
      'the claim is over',
      async () => (await server.ask('/tasks/task-1')).json.task.status === 'pending',
    )
    assert.equal((await server.ask('/tasks/task-1/complete', { result: 1 })).status, 409)
    assert.equal((await server.ask('/tasks/task-1/heartbeat', {})).status, 409)
  })

  it('keeps a claim for as long as heartbeats come, with queue leases shorter than the claim and longer', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(2))
    const server = await bench.start('--visibility-timeout', '1')
    const long = (await server.claim({ lease_seconds: 4 })).json.task.id // four leases of the queue, without a heartbeat
    const short = (await server.claim({ lease_seconds: 1 })).json.task.id
    const startedMs = Date.now()
    while (Date.now() - startedMs < 3000) {
      assert.equal((await server.ask(`/tasks/${short}/heartbeat`, {})).status, 200)
      assert.equal((await server.claim({ wait_seconds: 0.4 })).status, 404)
    }
    for (const id of [long, short]) assert.equal((await server.ask(`/tasks/${id}/complete`, {})).status, 200)
  })

  it('hands a saved checkpoint to the next attempt when the worker is not heard of again', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(1))
    const server = await bench.start()
    await server.claim({ lease_seconds: 1 })
    await server.ask('/tasks/task-1/heartbeat', { checkpoint: { row: 40 } })
    const { task } = (await server.claim({ wait_seconds: 20 })).json
    assert.deepEqual([task.attempt, task.checkpoint], [2, { row: 40 }])
    assert.deepEqual(
      (await bench.events()).map(event => event.event_type),
      ['task_interrupted'],
    )
  })

  it('tries retryable failures again, at once and then later and later, and gives up after the last', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(1))
    const server = await bench.start('--max-attempts', '3')
    const delays: unknown[] = []
    for (let attempt = 1; attempt <= 3; attempt++) {
      const { task } = (await server.claim({ wait_seconds: 20 })).json
      assert.equal(task.attempt, attempt)
      const failed = await server.ask('/tasks/task-1/fail', {
        error: 'Rate limit exceeded',
        type: 'RATE_LIMIT',
        retryable: true,
        stack: 'TaskError: Rate limit exceeded\n    at work (worker.js:3:9)',
      })
      assert.equal(failed.status, 200)
      delays.push([failed.json.status, failed.json.retry_in_seconds, failed.json.dead_letter])
    }
    assert.deepEqual(delays, [
      ['pending', 0, false],
      ['pending', 1, false],
      ['failed', null, true],
    ])
    const [letter] = await bench.left('-dead')
    assert.equal(letter?.task_id, 'task-1')
    const events = await bench.events()
    assert.deepEqual(
      events.map(event => [event.event_type, event.retry]),
      [
        ['task_exception', true],
        ['task_exception', true],
        ['task_exception', false],
      ],
    )
    assert.match(String(events[0]?.exception), /^RATE_LIMIT: Rate limit exceeded\n/)
  })

  it('does not try again what is not retryable, whatever the setting says', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(2))
    const server = await bench.start('--retry-on-exception')
    await server.claim()
    const final = await server.ask('/tasks/task-1/fail', { error: 'Invalid parameters', retryable: false })
    assert.deepEqual([final.json.status, final.json.will_retry], ['failed', false])
    await server.claim()
    const unsaid = await server.ask('/tasks/task-2/fail', { error: 'Who knows', traceback: 'Traceback\nValueError' })
    assert.deepEqual([unsaid.json.status, unsaid.json.will_retry], ['pending', true])
  })

  it('hands out tasks of the types that are asked for, and the others to whoever takes any', async () => {
    await using bench = await openServeBench()
    await bench.load(
      Array.from({ length: 40 }, (_, i) => ({ task_id: `t${i}`, type: i === 37 ? 'rare' : 'usual', data: {} })),
    )
    const server = await bench.start()
    assert.equal((await server.claim({ types: ['unheard-of'] })).status, 404)
    assert.equal((await server.claim({ types: ['rare', 'other'] })).json.task.id, 't37')
    const ids = new Set<string>()
    for (let i = 0; i < 39; i++) ids.add((await server.claim({ wait_seconds: 5 })).json.task.id)
    assert.equal(ids.size, 39)
    assert.equal((await server.claim()).status, 404)
  })

  it('waits for a task as long as it is asked to', async () => {
    await using bench = await openServeBench()
    const server = await bench.start()
    const startedMs = performance.now()
    assert.equal((await server.claim({ wait_seconds: 0.3 })).status, 404)
    assert.ok(performance.now() - startedMs > 250)
    const waiting = [1, 2, 3].map(() => server.claim({ wait_seconds: 15 }))
    await bench.load(tasks(3))
    const ids = (await Promise.all(waiting)).map(({ json }) => json.task.id)
    assert.equal(new Set(ids).size, 3)
  })

  it('leaves a task with the queue when the client that waited for it has gone', async () => {
    await using bench = await openServeBench()
    const server = await bench.start()
    const leaving = new AbortController()
    const waiting = fetch(`${server.url}/tasks/claim`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}` },
      body: '{"worker_id":"leaver","wait_seconds":30}',
      signal: leaving.signal,
    })
    assert.equal((await server.claim()).status, 404) // by now the first one waits
    leaving.abort()
    await assert.rejects(waiting)
    await eventually('the server has seen it go', async () =>
      /route="claim",status="404"\} 2$/m.test(String((await server.ask('/metrics')).json)),
    )
    await bench.load(tasks(1))
    assert.equal((await server.claim({ wait_seconds: 10 })).status, 200)
  })

  it('keeps what is of one user from the others', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(1))
    const server = await bench.start()
    await server.claim()
    for (const word of ['complete', 'fail', 'heartbeat']) {
      const answer = await server.ask(`/tasks/task-1/${word}`, { error: 'x', result: 1 }, { key: OTHER_KEY })
      assert.deepEqual([word, answer.status, answer.json.code], [word, 403, 'forbidden'])
    }
    assert.equal((await server.ask('/tasks/task-1/complete', { result: 1 })).status, 200)
    assert.equal((await server.ask('/tasks/task-1/complete', { result: 1 }, { key: OTHER_KEY })).status, 403)
  })
})
