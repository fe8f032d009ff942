import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { eventually, tasks } from '../agent-run.ts'
import { openServeBench } from './serve-run.ts'

describe('tasks of the HTTP API', { timeout: 60_000 }, () => {
  it('pages through tasks, newest first, also of one status', async () => {
    await using bench = await openServeBench()
    const server = await bench.start()
    const some = Array.from({ length: 25 }, (_, i) => ({ id: `t${i}` }))
    assert.equal((await server.ask('/tasks', { tasks: some })).status, 201)
    const ids: string[] = []
    for (let cursor = ''; ; ) {
      const { json } = await server.ask(`/tasks?limit=10${cursor}`)
      ids.push(...json.tasks.map((task: { id: string }) => task.id))
      assert.equal(json.queue.ready, 25)
      if (json.next_cursor === null) break
      cursor = `&cursor=${json.next_cursor}`
    }
    assert.deepEqual(ids, some.map(({ id }) => id).toReversed())
    await server.claim()
    const claimed = (await server.ask('/tasks?status=claimed')).json.tasks
    assert.deepEqual([claimed.length, claimed[0].id], [1, 't0'])
  })

  it('adds a task once, at its time, and again when it is done', async () => {
    await using bench = await openServeBench()
    const server = await bench.start()
    const soon = new Date(Date.now() + 700).toISOString()
    assert.equal((await server.ask('/tasks', { id: 'once', not_before: soon })).status, 201)
    const twice = await server.ask('/tasks', { id: 'once' })
    assert.deepEqual([twice.status, twice.json.code], [409, 'already_exists'])
    assert.equal((await server.claim()).status, 404)
    const { json } = await server.claim({ wait_seconds: 10 })
    assert.ok(Date.now() >= Date.parse(soon))
    assert.ok(Date.parse(json.task.created_at) < Date.parse(soon))
    await server.ask('/tasks/once/complete', {})
    assert.equal((await server.ask('/tasks', { id: 'once' })).json.task.status, 'pending')
  })

  it('counts what it does', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(2))
    const server = await bench.start()
    const before = (await server.ask('/health')).json
    assert.deepEqual([before.status, before.tasks_processed, before.last_task_at], ['healthy', 0, null])
    await server.claim()
    await server.claim()
    await server.ask('/tasks/task-1/complete', { result: 1 })
    await server.ask('/tasks/task-2/fail', { error: 'x' })
    const after = (await server.ask('/health')).json
    assert.equal(after.tasks_processed, 2)
    assert.ok(Math.abs(Date.parse(after.last_task_at) - Date.now()) < 10_000)
    const metrics = String((await server.ask('/metrics')).json)
    assert.match(metrics, /^cloud_tasks_http_tasks_completed_total 1$/m)
    assert.match(metrics, /^cloud_tasks_http_tasks_failed_total\{retried="false"\} 1$/m)
    assert.match(metrics, /^cloud_tasks_http_requests_total\{route="claim",status="200"\} 2$/m)
    for (const line of metrics.trimEnd().split('\n'))
      assert.match(line, /^(# (HELP|TYPE) .+|[a-z_]+(\{[^}]*\})? [0-9.]+)$/)
  })

  it('puts what is no task aside and goes on', async () => {
    await using bench = await openServeBench()
    await bench.load([{ no: 'task' }, ...tasks(1)])
    const server = await bench.start()
    assert.equal((await server.claim({ wait_seconds: 10 })).json.task.id, 'task-1')
    await eventually('the letter is there', async () => (await bench.left('-dead')).length === 1)
  })

  it('takes a result of 10 MB, which lies in the object store, and any character', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(2))
    const server = await bench.start()
    await server.claim()
    await server.claim()
    const long = '\u{1F642}é\\n"\u0000'.repeat(900_000)
    assert.equal((await server.ask('/tasks/task-1/complete', { result: long })).status, 200)
    assert.equal((await server.ask('/tasks/task-2/complete', { result: 'é\u{1F642}' })).status, 200)
    const [first, second] = await bench.events()
    const url = /"result_url":"([^"]+)"/.exec(JSON.stringify(first?.result))?.[1] ?? ''
    assert.equal(JSON.parse(await readFile(new URL(url), 'utf8')), long)
    assert.equal(second?.result, 'é\u{1F642}')
    assert.equal((await server.ask('/tasks/task-2')).json.task.result, 'é\u{1F642}')
  })
})
