import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Json } from '../../core/task.ts'
import { type Fields, openBench, tasks } from './agent-run.ts'

const ODD = `${join(import.meta.dirname, '../fixtures/python/odd_tasks.py')}`

async function endOf(how: string, ...options: string[]) {
  await using bench = await openBench()
  await bench.load([{ task_id: 'one', data: { how } }])
  const ran = await bench.run('--max-num-tasks', '1', ...options, `${ODD}:odd`)
  assert.equal(ran.code, 0, ran.stderr)
  const events = await bench.events()
  return { ...ran, events, event: events[0] ?? {} }
}

// One agent runs them one after the other: none may do harm to the next.
const RESULTS: readonly [how: string, result: Json][] = [
  ['pool', [0, 1, 4, 9, 16]],
  ['spawn', [0, 1, 4, 9, 16]],
  ['fork and return', 'once'],
  ['fork and exit', 5],
  ['closes stdout', 'closed'],
  ['async', 6],
  ['thread', 'left a thread behind'],
  ['nan', { mean: null, worst: [null, 1.5] }],
  ['list', [1, 2.5]],
]
const EXITS: readonly [how: string, code: number][] = [
  ['_exit', 4],
  ['exit with text', 1],
  ['segfault', -11],
]
const FAILURES: readonly [how: string, text: RegExp][] = [
  ['recursion', /RecursionError: /],
  ['not a pair', /TypeError: The task function must return a tuple \(retry, result\), but it returned {'sum': 3}\.\n$/],
  ['no json', /TypeError: The result of the task cannot be carried as JSON: Object of type Odd is not/],
]

async function endsOfAll(): Promise<ReadonlyMap<unknown, readonly Fields[]>> {
  await using bench = await openBench()
  const hows = [...RESULTS, ...FAILURES, ...EXITS].map(([how]) => how)
  await bench.load(hows.map(how => ({ task_id: how, data: { how } })))
  const { code, stderr } = await bench.run('--max-num-tasks', String(hows.length), `${ODD}:odd`)
  assert.equal(code, 0, stderr)
  return Map.groupBy(await bench.events(), event => event.task_id)
}

describe('a Python function', { timeout: 90_000, concurrency: 2 }, () => {
  it('prints as it likes, in whatever way, and what it prints is shown', async () => {
    const { event, stdout } = await endOf('prints')
    assert.equal(event.result, 'stdin is empty')
    assert.match(stdout, /^from print\nwithout newline from C\nfrom a child\n.* INFO - from logging\n$/)
  })

  let all: ReturnType<typeof endsOfAll> | undefined
  const eventsOf = async (how: string): Promise<readonly Fields[]> => {
    all ??= endsOfAll()
    return (await all).get(how) ?? []
  }

  for (const [how, result] of RESULTS) {
    it(`may end after: ${how}`, async () => {
      assert.deepEqual(
        (await eventsOf(how)).map(event => [event.event_type, event.result]),
        [['task_completed', result]],
      )
    })
  }

  for (const [how, code] of EXITS) {
    it(`has exited after: ${how}`, async () => {
      const [event, ...others] = await eventsOf(how)
      assert.deepEqual([event?.event_type, event?.exit_code, others], ['task_exited', code, []])
      if (how === 'exit with text') assert.equal(event?.log_tail, 'that was it\n')
    })
  }

  for (const [how, text] of FAILURES) {
    it(`has failed after: ${how}`, async () => {
      const [event, ...others] = await eventsOf(how)
      assert.deepEqual([event?.event_type, others], ['task_exception', []])
      assert.match(String(event?.exception), text)
      assert.match(String(event?.exception), /^Traceback \(most recent call last\):\n/)
    })
  }

  it('says itself whether another attempt can help', async () => {
    const { events } = await endOf('try again', '--max-num-tasks', '2')
    assert.deepEqual(
      events.map(event => [event.event_type, event.retry, event.result]),
      [
        ['task_exception', true, undefined],
        ['task_completed', false, 2],
      ],
    )
  })

  it('may be async', async () => {
    await using bench = await openBench()
    await bench.load(tasks(3))
    await bench.run('--max-num-tasks', '3', `${ODD}:later`)
    assert.deepEqual(
      (await bench.events()).map(event => event.result),
      [2, 3, 4],
    )
  })

  it('runs in a warm process, or in a fresh one for each task', async () => {
    for (const [words, calls] of [
      [[], [1, 2, 3]],
      [['--use-new-process'], [1, 1, 1]],
    ] as const) {
      await using bench = await openBench()
      await bench.load(tasks(3, { how: 'calls' }))
      await bench.run('--max-num-tasks', '3', ...words, `${ODD}:odd`)
      assert.deepEqual(
        (await bench.events()).map(event => event.result),
        calls,
      )
    }
  })

  it('is told of the end even where it has forked', async () => {
    const { events } = await endOf(
      'flag in a fork',
      '--simulate-spot-termination-after',
      '2',
      '--simulate-spot-termination-delay',
      '6',
    )
    assert.deepEqual(events.map(event => event.result ?? event.event_type).toSorted(), ['seen', 'spot_termination'])
  })

  it('knows what a worker of the Python package knows', async () => {
    const { event } = await endOf('worker', '--price', '0.25', '--instance-type', 'n2-standard-4', '--is-spot')
    const worker = (event.result ?? {}) as Fields
    const known =
      'args provider project_id job_id queue_name exactly_once_queue event_log_to_queue event_log_queue_name event_log_to_file event_log_file keepalive_interval instance_type num_cpus memory_gb local_ssd_gb boot_disk_gb is_spot price_per_hour num_simultaneous_tasks max_runtime max_memory_allowed_per_task shutdown_grace_period retry_on_exit retry_on_exception retry_on_timeout simulate_spot_termination_after simulate_spot_termination_delay shutdown_event termination_event'
    assert.deepEqual(
      known.split(' ').filter(name => !(name in worker)),
      [],
    )
    const { provider, job_id, price_per_hour, instance_type, is_spot, memory_gb } = worker
    assert.deepEqual(
      { provider, job_id, price_per_hour, instance_type, is_spot, memory_gb },
      {
        provider: "'LOCAL'",
        job_id: "'job'",
        price_per_hour: '0.25',
        instance_type: "'n2-standard-4'",
        is_spot: 'True',
        memory_gb: 'None',
      },
    )
  })

  it('gives what waits behind an unexpectedly long task to another slot', async () => {
    await using bench = await openBench()
    const long = { task_id: 'long', data: { how: 'sleep', seconds: 3 } }
    const late = tasks(500).map(task => ({ ...task, task_id: `late-${task.task_id}` }))
    await bench.load([...tasks(1500), long, ...late])
    await bench.run('--num-simultaneous-tasks', '2', '--max-num-tasks', '2001', `${ODD}:odd`)
    const events = await bench.events()
    assert.equal(new Set(events.map(event => event.task_id)).size, 2001)
    assert.equal(events.length, 2001)
    assert.equal(events.at(-1)?.task_id, 'long')
    const [previous, last] = events.slice(-2).map(event => new Date(String(event.timestamp)).getTime())
    assert.ok((last ?? 0) - (previous ?? 0) > 1000, 'the others were done long before')
  })

  for (const how of ['exit with text', '_exit']) {
    it(`is blamed alone among hundreds of pipelined tasks: ${how}`, async () => {
      await using bench = await openBench()
      const many = tasks(1500).map((task, i) => (i === 1000 ? { task_id: 'culprit', data: { how } } : task))
      await bench.load(many)
      await bench.run('--max-num-tasks', '1500', `${ODD}:odd`)
      const events = await bench.events()
      assert.deepEqual(
        events.filter(event => event.event_type === 'task_exited').map(event => event.task_id),
        ['culprit'],
      )
      assert.equal(new Set(events.map(event => event.task_id)).size, 1500)
    })
  }

  it('that is not there, or whose file cannot be loaded, is reported in one sentence', async () => {
    const broken: readonly [string, RegExp][] = [
      [`${ODD}:missing`, /Python file .*odd_tasks\.py has no function missing; it has Odd, HasList, TryAgain, square/],
      ['./broken.py:run', /Python file .*broken\.py does not exist/],
      [join(import.meta.dirname, '../fixtures/python/wants_a_package.py'), /cannot be loaded: ModuleNotFoundError: No/],
    ]
    for (const [task, sentence] of broken) {
      await using bench = await openBench()
      await bench.load(tasks(1))
      const { code, stderr } = await bench.run(task)
      assert.equal(code, 1)
      assert.match(stderr, sentence)
      assert.equal((await bench.left()).length, 1)
    }
  })

  it('needs the Python that was asked for', async () => {
    await using bench = await openBench()
    await bench.load(tasks(1))
    const { code, stderr } = await bench.run('--python', 'python-of-nobody', `${ODD}:odd`)
    assert.equal(code, 1)
    assert.match(stderr, /Cannot start python-of-nobody: spawn python-of-nobody ENOENT/)
  })
})
