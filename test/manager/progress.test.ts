import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type StatusCounts, TASK_STATUSES } from '../../manager/job-db-status.ts'
import type { VmRecord } from '../../manager/job-db-vms.ts'
import { ProgressMeter, type ProgressView, renderBlock, renderDuration, renderLine } from '../../manager/progress.ts'
import { summarizeVms } from '../../manager/vm-summary.ts'
import { renderVmSummary, renderVmTable } from '../../manager/vm-table.ts'
import { configWith, vm } from './offers.ts'

function counts(some: Partial<StatusCounts>): StatusCounts {
  return { ...(Object.fromEntries(TASK_STATUSES.map(status => [status, 0])) as StatusCounts), ...some }
}

function view(fields: Partial<ProgressView> = {}): ProgressView {
  return {
    jobId: 'sums',
    counts: counts({ completed: 9_999, in_queue_original: 1, exception: 0 }),
    heldCount: 1,
    vms: [vm(), vm({ state: 'starting' }), vm({ state: 'terminated', endReason: 'preempted' })],
    spentUsd: 0.0123,
    tasksPerSecond: 250.4,
    ...fields,
  }
}

describe('progress', () => {
  it('tells what a person wants to know, in one line', () => {
    assert.equal(
      renderLine(view()),
      '9,999 of 10,000 tasks done (99 %), 1 running, 0 failed, 250 tasks/s, 1 s left, 1 VMs running, 1 starting, 1 preempted, $0.0123 so far at $0.2000/h',
    )
  })

  it('says 100 % only when it is true, and counts failures apart', () => {
    const done = counts({ completed: 7, exception: 2, failed: 1 })
    assert.match(renderLine(view({ counts: done, heldCount: 0 })), /^10 of 10 tasks done \(100 %\), 3 failed/)
  })

  for (const columnCount of [20, 60, 200]) {
    it(`never draws a line wider than a screen of ${columnCount} columns`, () => {
      for (const color of [true, false]) {
        const lines = renderBlock(view(), { columnCount, color })
        assert.equal(lines.length, 3)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
        for (const line of lines) assert.ok(line.replaceAll(/\x1b\[\d+m/g, '').length < columnCount, line)
        assert.equal(lines.join('').includes('\x1b'), color)
      }
    })
  }

  it('measures the rate of the last half minute', () => {
    const meter = new ProgressMeter()
    assert.equal(meter.sample(0, 0), undefined)
    assert.equal(meter.sample(100, 1000), 100)
    for (let second = 2; second <= 100; second++) meter.sample(100 + (second - 1) * 10, second * 1000)
    assert.equal(Math.round(meter.sample(100 + 100 * 10, 101_000) ?? 0), 10)
    assert.equal(meter.sample(1100, 1_000_000), 0)
  })

  it('lists each VM with its last sign of life and a verdict', () => {
    const now = new Date(1_000_000)
    const record = (fields: Partial<VmRecord>): VmRecord => ({
      ...vm({ launchedAt: new Date(0), ...fields }),
      attemptCount: 0,
      completedCount: 0,
      busySeconds: 0,
      ...fields,
    })
    const vms = [
      record({ lastHeardAt: new Date(990_000) }),
      record({ lastHeardAt: new Date(100_000) }),
      record({ launchedAt: new Date(900_000) }),
      record({}),
      record({ state: 'terminated', endReason: 'preempted' }),
    ]
    const { watch } = configWith()
    const verdicts = renderVmTable({ vms, watch, now }).matchAll(/\| (?:\d+ s ago)? +\| ([\w ]+?) +\|$/gm)
    assert.deepEqual(
      [...verdicts].map(([, verdict]) => verdict),
      ['OK', 'OVERDUE', 'awaiting first', 'OVERDUE', 'preempted'],
    )
    const { watch: calm } = configWith({ keepalive_timeout: 0, keepalive_startup_timeout: 0 })
    assert.equal(renderVmTable({ vms, watch: calm, now }).match(/not monitored/g)?.length, 4)
  })

  it('sums the VMs up as a table with their price', () => {
    const groups = summarizeVms([vm(), vm(), vm({ state: 'terminated' })])
    const lines = renderVmSummary(groups).split('\n')
    assert.match(
      lines[1] ?? '',
      /^\| State +\| Instance Type \| Boot Disk \| vCPUs \| Zone \| Count \| Total Price \|$/,
    )
    assert.match(lines[3] ?? '', /^\| running +\| m-2 +\| +\| +2 \| z-a +\| +2 \| +\$0\.2000 \|$/)
    assert.match(lines[5] ?? '', /^\| Total running\/starting \| +\| +\| +4 \| +\| +2 \| +\$0\.2000 \|$/)
  })

  it('writes durations as people say them', () => {
    assert.deepEqual([0.2, 59.1, 200, 3900].map(renderDuration), ['1 s', '1 min 00 s', '3 min 20 s', '1 h 05 min'])
  })
})
