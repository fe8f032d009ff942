import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { AGENT_METRICS, metricSpec, PROCESS_METRICS } from '../../core/metric-table.ts'
import { freePort } from '../support/free-port.ts'
import { parseMetrics } from '../support/metrics-text.ts'
import { eventually, fixture, openBench } from './agent-run.ts'

const TIMEOUT = { timeout: 60_000 }

describe('metrics of an agent', () => {
  it('count what its tasks did, in the text that Prometheus reads', TIMEOUT, async () => {
    await using bench = await openBench()
    const task = join(bench.folder, 'task.mjs')
    writeFileSync(
      task,
      `export default (id, { result }) => {\n  if (result === undefined) throw new Error('on purpose')\n  return result\n}\n`,
    )
    await bench.load([
      ...Array.from({ length: 7 }, (_, i) => ({
        task_id: `good-${i}`,
        data: { result: { dead_letter: 'no', retry: true } },
      })),
      { task_id: 'bad "one"', data: {} },
    ])
    const port = await freePort()
    const agent = bench.start(
      '--metrics-port',
      String(port),
      '--num-simultaneous-tasks',
      '2',
      '--retry-on-exception',
      '--max-attempts',
      '1',
      task,
    )
    await agent.saw(`Metrics are served at http://127.0.0.1:${port}/metrics.`)
    const url = `http://127.0.0.1:${port}/metrics`
    let text = ''
    await eventually('eight attempts are counted', async () => {
      text = await (await fetch(url)).text()
      return /attempts_total\{outcome="completed"\} 7/.test(text) && /outcome="exception"\} 1/.test(text)
    })
    const { families, samples } = parseMetrics(text)
    assert.deepEqual([...families.keys()].toSorted(), Object.keys({ ...AGENT_METRICS, ...PROCESS_METRICS }).toSorted())
    const value = (key: string) => samples.get(`cloud_tasks_agent_${key}`)
    assert.equal(value('slots'), 2)
    assert.equal(value('dead_letters_total'), 1)
    assert.equal(value('retries_total'), 0)
    assert.equal(value('attempt_duration_seconds_count'), 8)
    assert.equal(value('attempts_total{outcome="timed_out"}'), 0, 'a counter is there before it counts')
    assert.equal((await fetch(url, { method: 'POST' })).status, 405)
    assert.equal((await fetch(url.replace('metrics', 'else'))).status, 404)
    assert.match((await fetch(url)).headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
    agent.process.kill('SIGTERM')
    assert.equal((await agent.exit).code, 0)
    await assert.rejects(fetch(url), 'nobody serves them any more')
  })

  it('are no reason to stop working when their port is taken', TIMEOUT, async () => {
    await using bench = await openBench()
    await bench.load([{ task_id: 'one', data: {} }])
    const other = createServer()
    const port = await new Promise<number>(resolve =>
      other.listen(0, '127.0.0.1', () => resolve(portOf(other.address()))),
    )
    try {
      const { code, stderr } = await bench.run(
        ...['--metrics-port', String(port), '--max-num-tasks', '1', fixture('answers-by-data.ts')],
      )
      assert.equal(code, 0, stderr)
      assert.match(
        stderr,
        /Metrics cannot be served at 127\.0\.0\.1 port \d+ \(it is taken\); give another --metrics-port\./,
      )
      assert.equal((await bench.events()).length, 1)
    } finally {
      other.close()
    }
  })

  it('each have a kind and a sentence that says what they mean', () => {
    for (const name of Object.keys(AGENT_METRICS) as (keyof typeof AGENT_METRICS)[]) {
      const { kind, doc } = metricSpec(name)
      assert.equal(kind === 'counter', name.endsWith('_total'), name)
      assert.match(doc, /^[A-Z].*\.$/, name)
    }
  })
})

function portOf(address: ReturnType<ReturnType<typeof createServer>['address']>): number {
  return typeof address === 'object' && address !== null ? address.port : 0
}
