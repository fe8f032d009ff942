import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Fields, fixture, jsonLines, openBench, tasks } from './agent-run.ts'

const TASK = fixture('answers-by-data.ts')

describe('what runs a task', { timeout: 60_000, concurrency: 2 }, () => {
  it('runs a program that reads a line and answers a line, one task at a time, and keeps its other output as log', async () => {
    await using bench = await openBench()
    await bench.load(tasks(3))
    const { code, stderr } = await bench.run('--max-num-tasks', '3', '--', fixture('echoes.sh'))
    assert.equal(code, 0, stderr)
    const events = await bench.events()
    assert.deepEqual(
      events.map(event => event.event_type),
      Array(3).fill('task_completed'),
    )
    assert.equal(new Set(events.map(event => (event.result as Fields).pid)).size, 1, 'the process stays warm')
    assert.equal(stderr.match(/WARNING - Task "task-2" writes/g)?.length, 1, 'one warning a task')
    assert.match(stderr, /INFO - Task "task-2": still working/)
  })

  it('gives a program a fresh process for each task with --use-new-process', async () => {
    await using bench = await openBench()
    await bench.load(tasks(3))
    await bench.run('--max-num-tasks', '3', '--use-new-process', '--', fixture('echoes.sh'))
    const pids = (await bench.events()).map(event => (event.result as Fields).pid)
    assert.equal(new Set(pids).size, 3)
  })

  it('speaks control lines and pipelines with a program that announces itself', async () => {
    await using bench = await openBench()
    await bench.load([...tasks(500), { task_id: 'bad', data: { fail: true } }])
    const { code, stderr } = await bench.run(
      '--max-num-tasks',
      '501',
      '--retry-on-exception',
      '--',
      'python3',
      fixture('reads-ids.py'),
    )
    assert.equal(code, 0, stderr)
    const events = await bench.events()
    assert.equal(events.length, 501)
    assert.equal(
      events.filter(event => event.result === 'job').length >= 499,
      true,
      'hello came with or before the second task',
    )
    const failed = events.find(event => event.task_id === 'bad')
    assert.deepEqual(
      [failed?.event_type, failed?.exception, failed?.retry],
      ['task_exception', 'ValueError: failed', false],
    )
  })

  it('reports the exit code of a program that ends without an answer', async () => {
    await using bench = await openBench()
    await bench.load(tasks(2))
    await bench.run('--max-num-tasks', '2', '--', fixture('exits-3.sh'))
    assert.deepEqual(
      (await bench.events()).map(event => [event.event_type, event.exit_code]),
      [
        ['task_exited', 3],
        ['task_exited', 3],
      ],
    )
  })

  const broken: readonly [string, readonly string[], RegExp][] = [
    [
      'a module without a function',
      [fixture('has-no-function.mjs')],
      /has-no-function\.mjs exports answer; export a function/,
    ],
    [
      'a module that cannot be loaded',
      [fixture('cannot-be-loaded.mjs')],
      /cannot be loaded: Error: Cannot find module/,
    ],
    ['a module that is not there', ['./missing.ts'], /Task module .*missing\.ts does not exist/],
    ['a command that is not there', ['--', './no-such-program'], /Cannot start \.\/no-such-program: spawn .*ENOENT/],
    ['a Python file that is not there', ['./worker.py:process_task'], /Python file .*worker\.py does not exist/],
    [
      'a Python function that is not there',
      [`${fixture('reads-ids.py')}:compute`],
      /reads-ids\.py has no function compute/,
    ],
    ['another kind of file', ['./task.rb'], /put a command after --/],
  ]
  for (const [what, words, message] of broken) {
    it(`says in one sentence that it cannot run ${what}, reports it, and touches no task`, async () => {
      await using bench = await openBench()
      await bench.load(tasks(1))
      const { code, stderr } = await bench.run(...words)
      assert.equal(code, 1)
      assert.match(stderr, message)
      const events = await bench.events()
      assert.deepEqual(
        events.map(event => event.event_type),
        ['fatal_exception'],
      )
      assert.match(String(events[0]?.exception), message)
      assert.equal((await bench.left()).length, 1)
    })
  }
})

describe('a task file instead of a queue', { timeout: 60_000, concurrency: 2 }, () => {
  it('runs every task, tries again in memory, appends events to a file and exits 0', async () => {
    await using bench = await openBench()
    const file = join(bench.folder, 'tasks.json')
    await writeFile(file, JSON.stringify([...tasks(50), { task_id: 'again', data: { how: 'throws once' } }]))
    const { code, stderr } = await bench.runAlone('--tasks', file, '--retry-on-exception', TASK)
    assert.equal(code, 0, stderr)
    const events = await jsonLines(join(bench.folder, 'events.log'))
    assert.equal(events.length, 52)
    assert.deepEqual(
      events.filter(event => event.task_id === 'again').map(event => event.retry),
      [true, false],
    )
    await bench.runAlone(
      '--task-file',
      file,
      '--event-log-file',
      'events.log',
      '--tasks-to-skip',
      '1',
      '--max-num-tasks',
      '2',
      TASK,
    )
    const more = (await jsonLines(join(bench.folder, 'events.log'))).slice(52)
    assert.deepEqual(
      more.map(event => event.task_id),
      ['task-2', 'task-3'],
    )
  })

  it('names a wrong line of the file and exits 1', async () => {
    await using bench = await openBench()
    const file = join(bench.folder, 'tasks.jsonl')
    await writeFile(file, '{"task_id":"a","data":{}}\n{"task_id":"b"}\n')
    const { code, stderr } = await bench.runAlone('--task-file', file, TASK)
    assert.equal(code, 1)
    assert.match(stderr, /line 2/)
    assert.doesNotMatch(stderr, /\n\s+at /)
  })

  it('writes no event file when told not to', async () => {
    await using bench = await openBench()
    const file = join(bench.folder, 'tasks.json')
    await writeFile(file, JSON.stringify(tasks(1)))
    assert.equal((await bench.runAlone('--task-file', file, '--no-event-log-to-file', TASK)).code, 0)
    await assert.rejects(readFile(join(bench.folder, 'events.log')))
  })
})
