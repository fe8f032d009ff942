import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { alive, eventually, fixture, openBench, tasks } from './agent-run.ts'

const TASK = fixture('answers-by-data.ts')

/** Pids that `loops-forever.mjs` has written: the task process and its grandchild. */
async function pidsIn(file: string): Promise<number[]> {
  await eventually('the task writes its pids', async () =>
    (await readFile(file, 'utf8').catch(() => '')).endsWith('\n'),
  )
  return (await readFile(file, 'utf8')).trim().split(/\s+/).map(Number)
}

describe('limits and ends', { timeout: 60_000, concurrency: 2 }, () => {
  it('kills a task that runs too long, with grandchildren in sessions of their own', async () => {
    await using bench = await openBench()
    const pidFile = join(bench.folder, 'pids')
    await bench.load([{ task_id: 'endless', data: { pidFile } }])
    const { code } = await bench.run(
      '--max-runtime',
      '0.5',
      '--max-num-tasks',
      '1',
      '--no-retry-on-timeout',
      fixture('loops-forever.mjs'),
    )
    assert.equal(code, 0)
    const [event] = await bench.events()
    assert.deepEqual([event?.event_type, event?.retry], ['task_timed_out', false])
    const pids = await pidsIn(pidFile)
    assert.equal(pids.length, 2)
    await eventually('both are gone', () => !pids.some(alive))
  })

  for (const inside of [false, true]) {
    it(`kills a task over the memory limit (${inside ? 'in the heap' : 'in buffers'}) and never tries it again`, async () => {
      await using bench = await openBench()
      await bench.load([{ task_id: 'hungry', data: { inside } }])
      const limit = ['--max-memory-allowed-per-task', '0.2', '--retry-on-exception', '--retry-on-exit']
      await bench.run(...limit, '--max-num-tasks', '1', fixture('eats-memory.mjs'))
      const [event] = await bench.events()
      assert.deepEqual([event?.event_type, event?.retry], ['task_exception', false])
      assert.match(String(event?.exception), /^MemoryError: /)
      assert.deepEqual(await bench.left(), [])
    })
  }

  it('leaves no process behind when the agent is killed', async () => {
    await using bench = await openBench()
    const pidFile = join(bench.folder, 'pids')
    await bench.load([{ task_id: 'endless', data: { pidFile } }])
    const agent = bench.start(fixture('loops-forever.mjs'))
    const pids = await pidsIn(pidFile)
    agent.process.kill('SIGKILL')
    await eventually('both are gone', () => !pids.some(alive))
  })

  it('lets running tasks finish after SIGTERM, hands back the rest at once and exits 0', async () => {
    await using bench = await openBench()
    await bench.load(tasks(3, { how: 'sleeps', seconds: 1.5 }))
    const agent = bench.start(TASK)
    await agent.saw('started task-1')
    const askedMs = Date.now()
    agent.process.kill('SIGTERM')
    await eventually('the others are visible', async () => (await bench.tasks.admin.depth())?.ready === 2, 1000)
    assert.ok(Date.now() - askedMs < 1000)
    const { code } = await agent.exit
    assert.equal(code, 0)
    assert.deepEqual(
      (await bench.events()).map(event => [event.task_id, event.result]),
      [['task-1', 'slept']],
    )
    assert.equal((await bench.left()).length, 2)
  })

  it('interrupts what is not done at the end of the grace period; the successor carries the checkpoint', async () => {
    await using bench = await openBench()
    await bench.load(['{"task_id":"long","data":{"stubborn":true,"seed":12345678901234567890}}'])
    const agent = bench.start('--shutdown-grace-period', '0.3', fixture('polls-for-the-end.mjs'))
    await agent.saw('polling long')
    agent.process.kill('SIGINT')
    assert.equal((await agent.exit).code, 0)
    const [event] = await bench.events()
    assert.deepEqual(
      [event?.event_type, event?.reason, event?.retry, event?.attempt],
      ['task_interrupted', 'shutdown', true, 1],
    )
    const [delivery] = await bench.tasks.receive({ maxMessages: 10, waitSeconds: 2 })
    assert.match(delivery?.body ?? '', /"seed":12345678901234567890\b/, 'every digit is kept')
    const successor = JSON.parse(delivery?.body ?? '{}')
    assert.deepEqual(
      [successor.attempt, successor.preemptions, successor.failures, successor.checkpoint],
      [2, 1, undefined, { count: 1 }],
    )
    await bench.tasks.release(delivery ? [delivery.receipt] : [], 0)
    await bench.run('--max-num-tasks', '1', fixture('polls-for-the-end.mjs'))
    assert.deepEqual(
      (await bench.events()).map(({ result }) => result),
      [{ resumedAt: 1 }],
    )
  })

  it('dies at once at the second signal and leaves no process', async () => {
    await using bench = await openBench()
    const pidFile = join(bench.folder, 'pids')
    await bench.load([{ task_id: 'endless', data: { pidFile } }])
    const agent = bench.start(fixture('loops-forever.mjs'))
    const pids = await pidsIn(pidFile)
    agent.process.kill('SIGTERM')
    await agent.saw('SIGTERM')
    agent.process.kill('SIGTERM')
    assert.equal((await agent.exit).code, 143)
    await eventually('both are gone', () => !pids.some(alive))
  })

  it('tells a function that never awaits that the VM goes away', async () => {
    await using bench = await openBench()
    await bench.load([{ task_id: 'poller', data: {} }])
    const { code } = await bench.run(
      '--simulate-spot-termination-after',
      '0.7',
      '--simulate-spot-termination-delay',
      '5',
      fixture('polls-for-the-end.mjs'),
    )
    assert.equal(code, 0)
    const events = await bench.events()
    assert.deepEqual(
      new Set(events.map(event => event.result ?? event.event_type)),
      new Set(['spot_termination', 'saw the notice']),
    )
    assert.deepEqual(await bench.left(), [])
  })

  it('sends on what does not finish before the VM is gone, without burning a retry', async () => {
    await using bench = await openBench()
    await bench.load([{ task_id: 'stubborn', data: { stubborn: true } }])
    const startedMs = Date.now()
    await bench.run(
      '--simulate-spot-termination-after',
      '0.7',
      '--simulate-spot-termination-delay',
      '1',
      fixture('polls-for-the-end.mjs'),
    )
    assert.ok(Date.now() - startedMs < 5000)
    const interrupted = (await bench.events()).find(event => event.event_type === 'task_interrupted')
    assert.deepEqual([interrupted?.reason, interrupted?.retry], ['preempted', true])
    const [successor] = await bench.left()
    assert.deepEqual([successor?.attempt, successor?.preemptions, successor?.failures], [2, 1, undefined])
  })

  it('keeps the lease of a task that runs longer than a lease', async () => {
    await using bench = await openBench()
    await bench.load([{ task_id: 'long', data: { how: 'sleeps', seconds: 2 } }])
    const agent = bench.start('--visibility-timeout', '0.6', '--max-num-tasks', '1', TASK)
    await agent.saw('started long')
    const others = await bench.tasks.receive({ maxMessages: 1, waitSeconds: 1.5 })
    assert.deepEqual(others, [])
    await agent.exit
    assert.equal((await bench.events()).length, 1)
    assert.deepEqual(await bench.left(), [])
  })

  it('exits when the queue has stayed empty, and after its maximum lifetime', async () => {
    await using bench = await openBench()
    const idle = await bench.run('--idle-shutdown', '0.2', TASK)
    assert.equal(idle.code, 0)
    assert.match(idle.stderr, /the queue has stayed empty/)
    await bench.load([{ task_id: 'long', data: { how: 'sleeps', seconds: 10 } }])
    const old = await bench.run('--max-instance-lifetime', '0.5', '--shutdown-grace-period', '0.2', TASK)
    assert.equal(old.code, 0)
    assert.equal((await bench.left()).length, 1)
  })

  it('hands back the surplus after --max-num-tasks and skips what --tasks-to-skip says', async () => {
    await using bench = await openBench()
    await bench.load(tasks(10))
    await bench.run('--tasks-to-skip', '2', '--max-num-tasks', '3', TASK)
    assert.deepEqual(
      (await bench.events()).map(event => event.result),
      [3, 4, 5],
    )
    assert.equal((await bench.left()).length, 7)
  })
})
