// What the dashboard adds up: failures in groups, times in a histogram, the course of the job, its VMs.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { vmId } from '../../core/ids.ts'
import type {
  ExceptionsView,
  HistogramView,
  SeriesView,
  SlowestView,
  SpansView,
  VmsView,
} from '../../manager/dashboard/api.ts'
import { DashboardJob } from '../support/dashboard-job.ts'

const TIMEOUT = { timeout: 60_000 }

let job: DashboardJob
beforeEach(() => {
  job = new DashboardJob()
})
afterEach(() => job.remove())

describe('what fails and how long tasks take', TIMEOUT, () => {
  it('is grouped by what differs in more than numbers', async () => {
    job.load(Array.from({ length: 8 }, (_, n) => `t${n}`))
    const traceback = (n: number) =>
      `Traceback (most recent call last):\n  File "x.py", line ${n}\nValueError: bad ${n}\ntwo lines`
    job.collect(
      ['exception', 't0', { exception: traceback(1) }],
      ['exception', 't1', { exception: traceback(22) }],
      ['exception', 't2', { exception: 'TypeError: no such thing\n    at f (x.js:1:2)' }],
      ['exited', 't3', { exit_code: 137 }],
      ['exited', 't4', { exit_code: 1 }],
      ['timed_out', 't5', { retry: true }],
      ['completed', 't6', { result: 1 }],
      ['exception', 't7', { exception: 'TypeError: no such thing\n    at g (y.js:3:4)', retry: true }],
      ['completed', 't7', { attempt: 2, result: 2 }],
    )
    const page = await job.open()
    await page.indexed()
    const { groups } = await page.get<ExceptionsView>('/api/exceptions')
    assert.deepEqual(groups.map(({ firstLine, count }) => [firstLine, count]).toSorted(), [
      ['Exited with code 1', 1],
      ['Exited with code 137', 1],
      ['Timed out', 1],
      ['TypeError: no such thing', 1],
      ['ValueError: bad 1', 2],
    ])
    assert.equal(groups[0]?.lastAt, '2026-01-01T00:00:02.000Z')
  })

  it('is counted in a histogram whose percentiles are those of the tasks, and the slowest are named', async () => {
    const ids = Array.from({ length: 500 }, (_, n) => `t${n}`)
    job.load(ids)
    const secondsOf = (n: number) => 0.01 * 1.02 ** n
    job.collect(
      ...ids.map((id, n) => [n % 10 === 9 ? 'timed_out' : 'completed', id, { elapsed_time: secondsOf(n) }] as const),
    )
    const page = await job.open()
    await page.indexed()
    const histogram = await page.get<HistogramView>('/api/histogram')
    const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0)
    assert.deepEqual([sum(histogram.completed), sum(histogram.failed)], [450, 50])
    assert.equal(histogram.edgesSeconds.length, histogram.completed.length + 1)
    assert.ok(Math.abs((histogram.medianSeconds ?? 0) / secondsOf(250) - 1) < 0.03, String(histogram.medianSeconds))
    assert.ok(Math.abs((histogram.p95Seconds ?? 0) / secondsOf(475) - 1) < 0.03, String(histogram.p95Seconds))
    const { rows } = await page.get<SlowestView>('/api/slowest')
    assert.deepEqual(
      rows.slice(0, 3).map(row => row.taskId),
      ['t499', 't498', 't497'],
    )
    assert.equal(rows.length, 50)
  })
})

describe('the course of a job', TIMEOUT, () => {
  const BEGIN = Date.UTC(2026, 0, 1)
  const at = (seconds: number) => new Date(BEGIN + seconds * 1000)

  function runOnTwoVms(): void {
    const ids = Array.from({ length: 60 }, (_, n) => `t${n}`)
    job.load(ids)
    const vm = { jobId: 'page', instanceType: 'm', zone: 'z', spot: true, vcpuCount: 2, priceUsdPerHour: 36 } as const
    job.db.saveVms(
      [
        { ...vm, id: vmId('vm-0'), state: 'terminated', launchedAt: at(0), endedAt: at(30), endReason: 'preempted' },
        { ...vm, id: vmId('vm-1'), state: 'terminated', launchedAt: at(20), endedAt: at(60), endReason: 'terminated' },
      ],
      at(61),
      { slotsOf: () => 2 },
    )
    job.collect(
      ...ids.map((id, n) => {
        const fields = { instance_id: n < 30 ? 'vm-0' : 'vm-1', elapsed_time: 2 }
        return [n % 4 === 3 ? 'exception' : 'completed', id, fields] as const
      }),
    )
    const notice = { timestamp: '2026-01-01T00:00:28.000000+00:00', hostname: 'h', event_type: 'spot_termination' }
    job.db.applyEvents([JSON.stringify({ ...notice, event_id: 'n', instance_id: 'vm-0' })], at(29))
    const sample = job.db.sqlite.prepare('INSERT INTO samples (at, ready, leased, delayed) VALUES (?, ?, ?, 0)')
    for (let second = 5; second < 60; second += 5) sample.run(at(second).toISOString(), 60 - second, 4)
  }

  it('is a set of aligned columns that add up to what happened', async () => {
    runOnTwoVms()
    const page = await job.open()
    await page.indexed()
    for (const query of ['points=12', `from=${BEGIN / 1000}&to=${BEGIN / 1000 + 60}&points=30`, 'points=100']) {
      const series = await page.get<SeriesView>(`/api/series?${query}`)
      const { t, bucketSeconds } = series
      for (const [name, column] of Object.entries(series))
        if (Array.isArray(column)) assert.equal(column.length, t.length, name)
      const total = (column: readonly number[]) =>
        Math.round(column.reduce((sum, rate) => sum + rate * bucketSeconds, 0))
      const span = query.startsWith('from') ? [45, 14] : [45, 15] // the last one ends with the span
      assert.deepEqual([total(series.completedPerSecond), total(series.failedPerSecond)], span, query)
      // 36 USD an hour is a cent a second: 30 s of one VM and 40 s of the other.
      assert.ok(Math.abs((series.spentUsd.at(-1) ?? 0) - 0.7) < 1e-6, `${query}: ${series.spentUsd.at(-1)}`)
      assert.equal(Math.max(...series.vms), 2)
      assert.equal(t[0], Math.floor(BEGIN / 1000 / bucketSeconds) * bucketSeconds)
      const sampled = series.waiting.flatMap((waiting, index) =>
        waiting === null ? [] : [[t[index] ?? 0, waiting] as const],
      )
      assert.ok(sampled.length > 5)
      for (const [second, waiting] of sampled) {
        const offset = second - BEGIN / 1000
        assert.ok(waiting <= 60 - offset && waiting >= 55 - offset - bucketSeconds, `${second} ${waiting}`)
      }
    }
  })

  it('counts a VM to the very end of a span after which it lives on', async () => {
    runOnTwoVms()
    const page = await job.open()
    await page.indexed()
    const series = await page.get<SeriesView>(`/api/series?from=${BEGIN / 1000 + 5}&to=${BEGIN / 1000 + 15}&points=10`)
    assert.deepEqual([...new Set(series.vms)], [1])
    assert.deepEqual([...new Set(series.usdPerHour)], [36])
  })

  it('has a bar for each VM with its notice, and the attempts on it', async () => {
    runOnTwoVms()
    const page = await job.open()
    await page.indexed()
    const { vms } = await page.get<VmsView>('/api/vms')
    assert.deepEqual(
      vms.map(vm => [vm.id, vm.endReason, vm.noticeAt, vm.attempts, vm.slots, vm.costUsd]),
      [
        ['vm-0', 'preempted', '2026-01-01T00:00:28.000Z', 30, 2, 0.3],
        ['vm-1', 'terminated', undefined, 30, 2, 0.4],
      ],
    )
    const all = await page.get<SpansView>('/api/vms/vm-0/tasks')
    assert.equal(all.spans.length, 30)
    assert.deepEqual(all.spans[0], {
      taskId: 't0',
      startS: BEGIN / 1000 - 1,
      endS: BEGIN / 1000 + 1,
      outcome: 'completed',
    })
    const some = await page.get<SpansView>(`/api/vms/vm-0/tasks?from=${BEGIN / 1000 + 10}&to=${BEGIN / 1000 + 11}`)
    assert.deepEqual(
      some.spans.map(span => span.taskId),
      ['t9', 't10', 't11', 't12'],
    )
    assert.deepEqual(some.spans[2]?.outcome, 'exception')
    assert.deepEqual((await page.get<SpansView>('/api/vms/no/tasks')).spans, [])
  })
})
