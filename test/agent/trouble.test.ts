import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { eventually, fixture, openBench, tasks } from './agent-run.ts'

const TASK = fixture('answers-by-data.ts')

describe('when the world does not do as it should', { timeout: 60_000, concurrency: 2 }, () => {
  it('keeps results while the event queue cannot be written, and acks no task before', async () => {
    await using bench = await openBench()
    await bench.load(tasks(20))
    await bench.provider.openQueue('job-events', { leaseSeconds: 30 }).admin.ensure()
    const lock = new DatabaseSync(join(bench.folder, 'queues', 'job-events.sqlite'))
    lock.exec('BEGIN IMMEDIATE')
    const agent = bench.start('--max-num-tasks', '20', '--keepalive-interval', '0', TASK)
    await eventually('all are taken', async () => (await bench.tasks.admin.depth())?.ready === 0)
    assert.equal((await bench.tasks.admin.depth())?.leased, 20)
    lock.exec('ROLLBACK')
    lock.close()
    assert.equal((await agent.exit).code, 0)
    assert.equal((await bench.events()).length, 20)
    assert.deepEqual(await bench.left(), [])
  })

  it('reports what it finished although the lease is lost, and leaves the message to its new holder', async () => {
    await using bench = await openBench()
    await bench.load([{ task_id: 'slow', data: { how: 'sleeps', seconds: 1 } }])
    const agent = bench.start('--visibility-timeout', '0.5', '--idle-shutdown', '1', TASK)
    await agent.saw('started slow')
    agent.process.kill('SIGSTOP')
    const [stolen] = await bench.tasks.receive({ maxMessages: 1, waitSeconds: 5 })
    assert.ok(stolen, 'the lease of a frozen agent ends')
    agent.process.kill('SIGCONT')
    assert.equal((await agent.exit).code, 0)
    assert.deepEqual(
      (await bench.events()).map(event => event.result),
      ['slept'],
    )
    assert.deepEqual(await bench.tasks.ack([stolen.receipt]), { lost: [] })
  })

  it('gives what waits behind an unexpectedly long task to another slot', async () => {
    await using bench = await openBench()
    const long = { task_id: 'long', data: { how: 'sleeps', seconds: 2 } }
    await bench.load([...tasks(1500), long, ...tasks(500).map(task => ({ ...task, task_id: `late-${task.task_id}` }))])
    const { code } = await bench.run('--num-simultaneous-tasks', '2', '--max-num-tasks', '2001', TASK)
    assert.equal(code, 0)
    const events = await bench.events()
    assert.equal(events.length, 2001)
    assert.equal(new Set(events.map(event => event.task_id)).size, 2001)
    assert.equal(events.at(-1)?.task_id, 'long')
    const before =
      new Date(String(events.at(-1)?.timestamp)).getTime() - new Date(String(events.at(-2)?.timestamp)).getTime()
    assert.ok(before > 700, `the others were done ${before} ms earlier`)
  })

  it('ends with one sentence when the event file cannot be opened', async () => {
    await using bench = await openBench()
    await bench.load(tasks(1))
    const { code, stderr } = await bench.run(
      '--event-log-to-file',
      '--event-log-file',
      'no/such/folder/events.log',
      TASK,
    )
    assert.equal(code, 1)
    assert.match(stderr, /^Event log file no\/such\/folder\/events\.log cannot be opened: .*\n$/)
  })

  it('ends with one sentence without a provider, a queue, or with an unknown provider', async () => {
    await using bench = await openBench()
    const sentences: readonly [readonly string[], RegExp][] = [
      [[], /^Provider must be specified/],
      [['--provider', 'local'], /^The queue is not known/],
      [['--provider', 'nimbus', '--job-id', 'job'], /^Unknown provider "nimbus"/],
    ]
    for (const [words, sentence] of sentences) {
      const { code, stderr } = await bench.runAlone(...words, TASK)
      assert.equal(code, 1)
      assert.match(stderr, sentence)
    }
    assert.equal((await bench.runAlone('--provider', 'local')).code, 2, 'no task is a wrong command line')
  })
})
