import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Fields, fixture, openBench, tasks } from './agent-run.ts'

const TASK = fixture('answers-by-data.ts')

async function endOf(
  how: string,
  ...options: string[]
): Promise<{ events: readonly Fields[]; left: readonly Fields[]; dead: readonly Fields[]; stderr: string }> {
  await using bench = await openBench()
  await bench.load([{ task_id: 'one', data: { how, number: 7 } }])
  const { code, stderr } = await bench.run('--idle-shutdown', '0.3', ...options, TASK)
  assert.equal(code, 0, stderr)
  return { events: await bench.events(), left: await bench.left(), dead: await bench.left('-dead'), stderr }
}

describe('how a task ends', { timeout: 60_000, concurrency: 2 }, () => {
  it('reports every one of many tasks exactly once and empties the queue', async () => {
    await using bench = await openBench()
    await bench.load(tasks(3000))
    const { code, stderr } = await bench.run('--num-simultaneous-tasks', '2', '--max-num-tasks', '3000', TASK)
    assert.equal(code, 0, stderr)
    const events = await bench.events()
    assert.deepEqual(new Set(events.map(event => event.result)).size, 3000)
    assert.equal(events.length, 3000)
    assert.deepEqual(await bench.left(), [])
    const [first] = events
    assert.deepEqual(Object.keys(first ?? {}), [
      'timestamp',
      'hostname',
      'event_type',
      'task_id',
      'retry',
      'elapsed_time',
      'result',
      'attempt',
      'event_id',
      'instance_id',
    ])
  })

  const results: readonly [string, unknown][] = [
    ['plain', { taskId: 'one', number: 7 }],
    ['tuple', 'one done'],
    ['nothing', null],
    ['async', 7],
  ]
  for (const [how, result] of results) {
    it(`takes the ${how} return value as the result`, async () => {
      const { events, left } = await endOf(how)
      assert.deepEqual(
        events.map(event => [event.event_type, event.result, event.retry]),
        [['task_completed', result, false]],
      )
      assert.deepEqual(left, [])
    })
  }

  it('runs a task again that asks for it, with a higher attempt each time', async () => {
    const { events } = await endOf('asks for another attempt', '--idle-shutdown', '9', '--max-num-tasks', '3')
    assert.deepEqual(
      events.map(event => [event.attempt, event.retry, event.result]),
      [
        [1, true, 1],
        [2, true, 2],
        [3, false, 3],
      ],
    )
  })

  it('reports an exception with its stack, and retry null where nobody set a policy', async () => {
    const { events, left } = await endOf('throws')
    assert.equal(events.length, 1)
    assert.equal(events[0]?.event_type, 'task_exception')
    assert.equal(events[0]?.retry, null)
    assert.match(String(events[0]?.exception), /^Error: no such galaxy\n {4}at /)
    assert.deepEqual(left, [])
  })

  it('runs a task again after an exception with --retry-on-exception', async () => {
    const { events } = await endOf('throws once', '--retry-on-exception')
    assert.deepEqual(
      events.map(event => [event.event_type, event.retry, event.attempt]),
      [
        ['task_exception', true, 1],
        ['task_completed', false, 2],
      ],
    )
  })

  it('believes the thrower who says that another attempt can help', async () => {
    const { events } = await endOf('throws retryable')
    assert.deepEqual(
      events.map(event => event.event_type),
      ['task_exception', 'task_completed'],
    )
  })

  it('puts a task that is out of attempts among the dead letters, with the reasons', async () => {
    const { events, dead } = await endOf('throws', '--retry-on-exception', '--max-attempts', '2')
    assert.deepEqual(
      events.map(event => [event.retry, event.dead_letter]),
      [
        [true, undefined],
        [false, '2 failed attempts; last: Error: no such galaxy'],
      ],
    )
    assert.equal(dead.length, 1)
    assert.equal(dead[0]?.failures, 2)
  })

  for (const how of ['bigint', 'cycle']) {
    it(`calls a ${how} as a result an exception that says so`, async () => {
      const { events } = await endOf(how)
      assert.equal(events[0]?.event_type, 'task_exception')
      assert.match(String(events[0]?.exception), /The result of the task cannot be carried as JSON/)
    })
  }

  it('reports the exit code of a task that ends its process', async () => {
    const { events } = await endOf('exits')
    assert.deepEqual(
      events.map(event => [event.event_type, event.exit_code, event.retry]),
      [['task_exited', 3, null]],
    )
  })

  it('reports a signal as a negative exit code', async () => {
    const { events } = await endOf('kills itself')
    assert.deepEqual(
      events.map(event => [event.event_type, event.exit_code]),
      [['task_exited', -9]],
    )
  })

  it('blames the task whose forgotten timer throws while it runs', async () => {
    const { events } = await endOf('leaves an exception behind')
    assert.deepEqual(
      events.map(event => [event.event_type, event.exit_code]),
      [['task_exited', 1]],
    )
    assert.match(String(events[0]?.log_tail), /out of nowhere/)
  })

  for (const [how, exitCode] of [
    ['exits', 3],
    ['kills itself', -9],
  ] as const) {
    it(`blames only the one among hundreds of pipelined tasks that ${how}`, async () => {
      await using bench = await openBench()
      const many = tasks(2000).map((task, i) => (i === 1500 ? { task_id: 'culprit', data: { how } } : task))
      await bench.load(many)
      const { code, stderr } = await bench.run('--idle-shutdown', '0.5', TASK)
      assert.equal(code, 0, stderr)
      const events = await bench.events()
      const exited = events.filter(event => event.event_type === 'task_exited')
      assert.deepEqual(
        exited.map(event => [event.task_id, event.exit_code]),
        [['culprit', exitCode]],
      )
      const completed = events.filter(event => event.event_type === 'task_completed')
      assert.equal(new Set(completed.map(event => event.task_id)).size, 1999)
    })
  }

  it('gives every task a process of its own with --use-new-process', async () => {
    await using bench = await openBench()
    await bench.load(tasks(4, { how: 'pid' }))
    const { code } = await bench.run('--use-new-process', '--max-num-tasks', '4', TASK)
    assert.equal(code, 0)
    assert.equal(new Set((await bench.events()).map(event => event.result)).size, 4)
  })

  it('tells task code what it may know of the worker', async () => {
    const { events } = await endOf('worker', '--instance-type', 'n2-standard-4', '--price', '0.25', '--no-is-spot')
    const { jobId, provider, instanceType, pricePerHour, isSpot, attempt, receivedTerminationNotice, maxRuntime } =
      (events[0]?.result ?? {}) as Fields
    assert.deepEqual(
      { jobId, provider, instanceType, pricePerHour, isSpot, attempt, receivedTerminationNotice, maxRuntime },
      {
        jobId: 'job',
        provider: 'LOCAL',
        instanceType: 'n2-standard-4',
        pricePerHour: 0.25,
        isSpot: false,
        attempt: 1,
        receivedTerminationNotice: false,
        maxRuntime: 3600,
      },
    )
  })

  it("leaves a task's stdout to the task", async () => {
    await using bench = await openBench()
    await bench.load([{ task_id: 'one', data: { how: 'prints' } }])
    const { stdout } = await bench.run('--max-num-tasks', '1', TASK)
    assert.equal(stdout, 'printed by one\n')
  })

  it('stores a result that is too long for a message and reports where it is', async () => {
    await using bench = await openBench()
    await bench.load([{ task_id: 'big', data: { how: 'long result' } }])
    await bench.run('--max-num-tasks', '1', TASK)
    const [event] = await bench.events()
    const { result_url: url, bytes } = (event?.result ?? {}) as Fields
    assert.equal(bytes, 2 * 1024 ** 2 + 2)
    let text = ''
    for await (const chunk of bench.provider.openObjects().read(String(url))) text += Buffer.from(chunk)
    assert.equal(JSON.parse(text).length, 2 * 1024 ** 2)
  })
})
