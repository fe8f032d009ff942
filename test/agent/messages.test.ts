import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fixture, openBench, tasks } from './agent-run.ts'

const TASK = fixture('answers-by-data.ts')

describe('messages that are out of the ordinary', { timeout: 60_000, concurrency: 2 }, () => {
  it('puts a body that is no task among the dead letters and goes on', async () => {
    await using bench = await openBench()
    await bench.load(['not json', '[1]', '{"task_id":"","data":{}}', '{"task_id":"x","data":7}', ...tasks(1)])
    const { code } = await bench.run('--idle-shutdown', '0.3', TASK)
    assert.equal(code, 0)
    const events = await bench.events()
    const odd = events.filter(event => event.event_type === 'non_fatal_exception')
    assert.equal(odd.length, 4)
    assert.match(String(odd[0]?.exception), /A message in job is not a task: it is not JSON .* It begins: not json/)
    assert.equal(events.filter(event => event.event_type === 'task_completed').length, 1)
    assert.equal((await bench.left('-dead')).length, 4)
    assert.deepEqual(await bench.left(), [])
  })

  it('runs a task whose message is spread over lines, or begins like a control line', async () => {
    await using bench = await openBench()
    await bench.load([
      '{\n "task_id": "lines",\n "data": {"number": 1}\n}',
      '{"control":"recall","task_id":"odd","data":{"number":2}}',
    ])
    await bench.run('--max-num-tasks', '2', TASK)
    assert.deepEqual(
      (await bench.events()).map(event => [event.task_id, event.result]),
      [
        ['lines', 1],
        ['odd', 2],
      ],
    )
  })

  it('carries any text: emoji, quotes, newlines, separators', async () => {
    await using bench = await openBench()
    const id = 'weird "\\ \u2028 \n é 🚀'
    await bench.load([{ task_id: id, data: { how: 'plain' } }])
    await bench.run('--max-num-tasks', '1', TASK)
    const [event] = await bench.events()
    assert.equal(event?.task_id, id)
    assert.deepEqual(event?.result, { taskId: id })
  })

  it('quarantines a message that was handed out more often than attempts are allowed', async () => {
    await using bench = await openBench({ leaseSeconds: 0.05 })
    await bench.load(tasks(1))
    for (let i = 0; i < 2; i++) {
      const [taken] = await bench.tasks.receive({ maxMessages: 1, waitSeconds: 2 })
      assert.ok(taken)
    }
    await bench.run('--max-attempts', '2', '--idle-shutdown', '0.5', TASK)
    const [event] = await bench.events()
    assert.deepEqual([event?.event_type, event?.retry, event?.exit_code], ['task_exited', false, null])
    assert.match(String(event?.dead_letter), /handed out 3 times without any attempt having reported/)
    assert.equal((await bench.left('-dead')).length, 1)
  })

  it('hands back a task that is not to be started yet', async () => {
    await using bench = await openBench()
    const notBefore = new Date(Date.now() + 1500)
    await bench.load([{ task_id: 'later', data: {}, not_before: notBefore.toISOString() }])
    await bench.run('--max-num-tasks', '1', '--idle-shutdown', '10', TASK)
    const [event] = await bench.events()
    assert.ok(new Date(String(event?.timestamp)) >= notBefore)
  })

  it('sends keep-alive events with the id of the instance, the first at once', async () => {
    await using bench = await openBench()
    await bench.run('--idle-shutdown', '0.5', '--keepalive-interval', '0.1', TASK)
    const bodies = await bench.left('-events')
    const beats = bodies.filter(event => event.event_type === 'keep_alive')
    assert.ok(beats.length >= 3, `${beats.length} beats`)
    const { id } = await bench.provider.openInstance().describe()
    assert.deepEqual(Object.keys(beats[0] ?? {}), ['timestamp', 'hostname', 'event_type', 'instance_id'])
    assert.equal(beats[0]?.instance_id, id)
  })
})
