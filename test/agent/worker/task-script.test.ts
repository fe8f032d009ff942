import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fixture, openBench, tasks } from '../agent-run.ts'

describe('a script that starts a worker', { timeout: 60_000 }, () => {
  it('can be the task of an agent: its worker runs the tasks, and no second agent begins', async () => {
    await using bench = await openBench()
    await bench.load(tasks(4))
    const { code, stderr } = await bench.run('--max-num-tasks', '4', fixture('starts-a-worker.ts'))
    assert.equal(code, 0, stderr)
    assert.equal(stderr.match(/Running/g)?.length, 1, stderr)
    const results = (await bench.events()).map(({ result }) => result)
    assert.deepEqual(results.toSorted(), [2, 4, 6, 8])
  })

  it('reports a task that had finished before one behind which nothing could be heard', async () => {
    await using bench = await openBench()
    await bench.load([
      { task_id: 'short', data: { how: 'succeed' } },
      { task_id: 'short too', data: { how: 'succeed' } },
      { task_id: 'endless', data: { how: 'endless' } },
    ])
    const script = new URL('../../fixtures/kinds/worker.ts', import.meta.url).pathname
    await bench.startScript(script, 'thread', '--max-runtime', '0.7', '--max-num-tasks', '3').exit
    const ends = new Map((await bench.events()).map(event => [event.task_id, event.event_type]))
    assert.deepEqual(Object.fromEntries(ends), {
      short: 'task_completed',
      'short too': 'task_completed',
      endless: 'task_timed_out',
    })
  })
})
