import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { JOB_METRICS, PROCESS_METRICS } from '../../core/metric-table.ts'
import { Histogram, renderMetrics } from '../../core/metrics-text.ts'
import { serveMetrics } from '../../infra/metrics-server.ts'
import { JobFolder } from '../support/job-folder.ts'
import { type ParsedMetrics, parseMetrics } from '../support/metrics-text.ts'

const TIMEOUT = { timeout: 60_000 }
const QUICK_COUNT = 40
// The last task keeps the job from ending until it has been looked at.
const TASK = `import { existsSync } from 'node:fs'
export default async (id, { a }) => {
  if (a === 3) throw new Error('three is bad')
  while (a === ${QUICK_COUNT} && !existsSync(new URL('enough', import.meta.url))) {
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return a
}
`

describe('metrics of a job', () => {
  it('say what the job database says, while the job runs', TIMEOUT, async t => {
    const folder = new JobFolder({
      taskCount: QUICK_COUNT + 1,
      taskModule: TASK,
      run: ['max_total_cost: 5'],
      local: ['price_per_hour: 0.5', 'vcpus_per_vm: 2'],
    })
    t.after(() => folder.remove())
    const running = folder.start('run', '--config', 'job.yml', '--task-file', 'tasks.json', '--metrics-port', '0')
    let log = ''
    running.child.stderr?.on('data', chunk => {
      log += chunk
    })
    let metrics: ParsedMetrics | undefined
    const value = (name: string) => metrics?.samples.get(`cloud_tasks_job_${name}`)
    // The forecast needs a second; a VM is seen to run at the next look.
    const seen = () =>
      value('tasks{status="in_queue_original"}') === 1 &&
      value('attempt_duration_seconds_count') === QUICK_COUNT && // heard a moment after it is stored
      (value('vms{state="running"}') ?? 0) > 0 &&
      value('end_timestamp_seconds{bound="p90"}') !== undefined
    for (let tries = 0; !seen(); tries++) {
      assert.ok(tries < 300 && running.child.exitCode === null, log)
      await sleep(50)
      const url = /http:\/\/127\.0\.0\.1:\d+\/metrics/.exec(log)?.[0]
      if (url !== undefined) metrics = parseMetrics(await (await fetch(url)).text())
    }
    assert.equal(value('info{job_id="job",provider="local"}'), 1)
    assert.equal(value('tasks{status="exception"}'), folder.count("status = 'exception'"))
    assert.equal(value('tasks{status="completed"}'), folder.count("status = 'completed'"))
    assert.equal(value('attempts_total{outcome="completed"}'), QUICK_COUNT - 1)
    assert.equal(value('attempts_total{outcome="exception"}'), 1)
    assert.equal(value('attempt_duration_seconds_count'), QUICK_COUNT)
    assert.ok((value('events_total{result="stored"}') ?? 0) >= QUICK_COUNT)
    assert.equal(value('cost_limit_usd'), 5)
    const runningCount = value('vms{state="running"}') ?? 0
    assert.ok(runningCount >= 1 && (value('vms_launched_total') ?? 0) >= runningCount)
    assert.equal(value('slots{state="running"}'), runningCount * 2)
    assert.ok((value('cost_usd_total') ?? 0) > 0)
    assert.ok((value('end_timestamp_seconds{bound="p90"}') ?? 0) > Date.now() / 1000 - 60)
    const wanted = Object.keys({ ...JOB_METRICS, ...PROCESS_METRICS })
    assert.deepEqual(
      wanted.filter(name => metrics?.families.has(name) !== true),
      [],
    )
    folder.write('enough', '')
    const { exitCode } = await running.ended
    assert.equal(exitCode, 1, 'one task failed')
  })

  it('are refused in one sentence when their port is taken', TIMEOUT, async t => {
    const folder = new JobFolder({ taskCount: 1 })
    t.after(() => folder.remove())
    const server = await serveMetrics({ port: 0, host: '127.0.0.1', render: () => '' })
    t.after(() => server.close())
    const port = new URL(server.url).port
    const { exitCode, stderr } = await folder.run(
      ...['run', '--config', 'job.yml', '--task-file', 'tasks.json', '--metrics-port', port],
    )
    assert.equal(exitCode, 1)
    assert.match(
      stderr,
      /Metrics cannot be served at 127\.0\.0\.1 port \d+ \(it is taken\); give another --metrics-port\./,
    )
    assert.doesNotMatch(stderr, /^ +at /m)
  })

  it('are written as Prometheus reads them, whatever their labels hold', () => {
    const durations = new Histogram()
    for (const seconds of [0, 0.001, 0.0011, 5, 1e6]) durations.observe(seconds)
    const text = renderMetrics({
      cloud_tasks_job_info: [[{ job_id: 'a "b" \\ c\nd', provider: '銀河' }, 1]],
      cloud_tasks_job_attempt_duration_seconds: durations,
      cloud_tasks_job_cost_limit_usd: undefined,
      cloud_tasks_job_queue_messages: [],
      cloud_tasks_job_cost_usd_total: 1e-9,
    })
    const { samples, families } = parseMetrics(text)
    assert.equal(samples.get('cloud_tasks_job_info{job_id="a \\"b\\" \\\\ c\\nd",provider="銀河"}'), 1)
    const bucket = (bound: string) => samples.get(`cloud_tasks_job_attempt_duration_seconds_bucket{le="${bound}"}`)
    assert.deepEqual(['0.001', '0.003', '3', '10', '10800', '+Inf'].map(bucket), [2, 3, 3, 4, 4, 5])
    assert.equal(samples.get('cloud_tasks_job_cost_usd_total'), 1e-9)
    assert.deepEqual([...families.keys()].length, 3, 'what is not known is left out')
  })
})
