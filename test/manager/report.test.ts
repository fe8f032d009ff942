import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { taskId, vmId } from '../../core/ids.ts'
import type { Vm } from '../../infra/provider.ts'
import { type JobDb, openJobDb } from '../../manager/job-db.ts'
import { buildReport, renderReport } from '../../manager/report.ts'
import { describeDistribution } from '../../manager/statistics.ts'

const folder = await mkdtemp(join(tmpdir(), 'report-'))
after(() => rm(folder, { recursive: true }))

const vm: Vm = {
  id: vmId('vm-1'),
  jobId: 'sums',
  state: 'terminated',
  instanceType: 'local-2',
  zone: 'a',
  spot: true,
  vcpuCount: 2,
  priceUsdPerHour: 0.36,
  launchedAt: new Date('2026-01-01T00:00:00Z'),
  endedAt: new Date('2026-01-01T00:30:00Z'),
  endReason: 'preempted',
}

/** Four tasks: two completed, one of them at the second attempt after a preemption, one out of budget, one in the queue. */
function smallJob(): JobDb {
  const db = openJobDb(join(folder, 'small.db'), { mode: 'create' })
  db.saveJob({ jobId: 'sums' })
  db.insertPending(['a', 'b', 'c', 'd'].map(id => ({ taskId: taskId(id), data: {} })))
  for (const batch of db.pendingBatches()) db.markQueued(batch, new Date('2026-01-01T00:00:00Z'))
  const at = (time: string, fields: object) =>
    JSON.stringify({ timestamp: `2026-01-01T${time}+00:00`, hostname: 'h', elapsed_time: 2, attempt: 1, ...fields })
  const trace = 'Traceback (most recent call last):\n  File "x.py"\nValueError: bad'
  db.applyEvents(
    [
      at('00:01:00', {
        event_type: 'task_completed',
        task_id: 'a',
        retry: false,
        result: 1,
        instance_id: 'vm-1',
        elapsed_time: 1,
      }),
      at('00:02:00', {
        event_type: 'task_interrupted',
        task_id: 'b',
        retry: true,
        reason: 'preempted',
        instance_id: 'vm-1',
      }),
      at('00:02:01', { event_type: 'spot_termination' }),
      at('00:40:00', {
        event_type: 'task_completed',
        task_id: 'b',
        attempt: 2,
        retry: false,
        result: 2,
        instance_id: 'vm-2',
        elapsed_time: 3,
      }),
      at('00:50:00', {
        event_type: 'task_exception',
        task_id: 'c',
        retry: true,
        exception: trace,
        instance_id: 'vm-2',
      }),
      at('01:00:00', {
        event_type: 'task_exception',
        task_id: 'c',
        attempt: 2,
        retry: false,
        exception: trace,
        dead_letter: '2 failed',
        instance_id: 'vm-2',
      }),
    ],
    new Date('2026-01-01T01:00:00Z'),
  )
  const other = { ...vm, id: vmId('vm-2'), zone: 'b', spot: false, priceUsdPerHour: 1, endReason: 'terminated' }
  db.saveVms([vm, { ...other, endedAt: new Date('2026-01-01T02:00:00Z') }], new Date())
  return db
}

describe('the report', () => {
  it('is the figures of the job database as plain data', t => {
    const db = smallJob()
    t.after(() => db.close())
    const report = buildReport(db, { now: new Date('2026-01-01T02:00:00Z') })
    assert.deepEqual(JSON.parse(JSON.stringify(report)), {
      jobId: 'sums',
      totalCount: 4,
      unfinishedCount: 1,
      counts: {
        pending: 0,
        in_queue_original: 1,
        completed_with_retry: 0,
        exception_with_retry: 0,
        timed_out_with_retry: 0,
        exited_without_status_with_retry: 0,
        completed: 2,
        exception: 0,
        timed_out: 0,
        exited_without_status: 0,
        failed: 1,
      },
      allCompleted: false,
      attempts: {
        total: 5,
        preempted: 1,
        retried: 1,
        byReason: { completed: 2, exception: 2, interrupted: 1 },
      },
      exceptions: [{ text: 'Traceback (most recent call last):\n  File "x.py"\nValueError: bad', count: 1 }],
      elapsedSeconds: {
        count: 3,
        min: 1,
        max: 3,
        mean: 2,
        median: 2,
        p90: 2.8,
        p95: 2.9,
        standardDeviation: Math.sqrt(2 / 3),
      },
      wallSeconds: 3600,
      tasksPerHour: 2,
      firstEnqueuedAt: '2026-01-01T00:00:00.000Z',
      lastCompletedAt: '2026-01-01T01:00:00.000Z',
      spotTerminatedHosts: ['h'],
      unfinishedTaskIds: ['d'],
      slowestTasks: [
        { taskId: 'b', elapsedSeconds: 3, status: 'completed', hostname: 'h' },
        { taskId: 'c', elapsedSeconds: 2, status: 'failed', hostname: 'h' },
        { taskId: 'a', elapsedSeconds: 1, status: 'completed', hostname: 'h' },
      ],
      cost: {
        usd: 2.18,
        usdPerCompletedTask: 1.09,
        vmCount: 2,
        vmSeconds: 9000,
        unpricedVmCount: 0,
        parts: report.cost.parts,
      },
      instanceTypes: [
        {
          instanceType: 'local-2',
          spot: false,
          vmCount: 1,
          vmSeconds: 7200,
          usd: 2,
          completedCount: 1,
          preemptedCount: 0,
        },
        {
          instanceType: 'local-2',
          spot: true,
          vmCount: 1,
          vmSeconds: 1800,
          usd: 0.18,
          completedCount: 1,
          preemptedCount: 1,
        },
      ],
      zones: [
        { zone: 'b', spot: false, vmCount: 1, vmSeconds: 7200, usd: 2, completedCount: 1, preemptedCount: 0 },
        { zone: 'a', spot: true, vmCount: 1, vmSeconds: 1800, usd: 0.18, completedCount: 1, preemptedCount: 1 },
      ],
    })
    const { usefulUsd, lostUsd, bootUsd, idleUsd } = report.cost.parts ?? assert.fail()
    assert.equal(Math.round((usefulUsd + lostUsd + bootUsd + idleUsd) * 1e6), 2_180_000)
    assert.ok(usefulUsd > 0 && lostUsd > 0)
    const text = renderReport(report)
    for (const line of [
      /^1 TASKS UNFINISHED: sums$/m,
      /^Total tasks +4$/m,
      /^Completed +2 +50\.0 %$/m,
      /^Failed \(dead letters\) +1 +25\.0 %$/m,
      /^Attempts +5 {2}\(1 retried, 1 preempted\)$/m,
      /^Wall time +1 h 0 m 0 s$/m,
      /^Rate +2 tasks\/hour/m,
      /^ +1 × Traceback \(most recent call last\): … ValueError: bad$/m,
      /^Cost +\$2\.18 {2}\(2\.50 VM-hours on 2 VMs/m,
      /^ {2}of which +[\d.]+ % work, [\d.]+ % lost to preemptions, [\d.]+ % boot, [\d.]+ % idle$/m,
      /^ {2}ended so +2 completed, 2 exception, 1 interrupted$/m,
      /^Unfinished +d$/m,
      /^\| local-2 +\| spot +\| +1 \| +1 \| +0\.50 \| +\$0\.18 \| +1 \|$/m,
      /^\| b +\| on demand \| +1 \| +0 \| +2\.00 \| +\$2\.00 \| +1 \|$/m,
      /^Spot-terminated hosts +h$/m,
    ]) {
      assert.match(text, line)
    }
  })

  it('of a job without tasks has no figures and is complete', t => {
    const db = openJobDb(join(folder, 'empty.db'), { mode: 'create' })
    t.after(() => db.close())
    const report = buildReport(db, { now: new Date() })
    assert.deepEqual(
      [report.totalCount, report.allCompleted, report.elapsedSeconds, report.wallSeconds],
      [0, true, undefined, undefined],
    )
    assert.match(renderReport(report), /^JOB COMPLETE\n/)
  })

  it('has the percentiles of the Python system', () => {
    // numpy: percentile([1, 2, 3, 4, 10], [50, 90, 95]) and std
    const { median, p90, p95, standardDeviation } =
      describeDistribution(Float64Array.of(10, 1, 4, 2, 3)) ?? assert.fail()
    const digits = [median, p90, p95, standardDeviation].map(value => Number(value.toFixed(6)))
    assert.deepEqual(digits, [3, 7.6, 8.8, 3.162278])
  })
})
