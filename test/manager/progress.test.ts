import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type StatusCounts, TASK_STATUSES } from '../../manager/job-db-status.ts'
import type { VmRecord } from '../../manager/job-db-vms.ts'
import { ProgressMeter, type ProgressView, renderDuration, renderLine } from '../../manager/progress.ts'
import { renderBlock } from '../../manager/progress-block.ts'
import { cutTo, widthOf } from '../../manager/progress-width.ts'
import { summarizeVms } from '../../manager/vm-summary.ts'
import { renderVmSummary, renderVmTable } from '../../manager/vm-table.ts'
import { configWith, vm } from './offers.ts'

function counts(some: Partial<StatusCounts>): StatusCounts {
  return { ...(Object.fromEntries(TASK_STATUSES.map(status => [status, 0])) as StatusCounts), ...some }
}

function view(fields: Partial<ProgressView> = {}): ProgressView {
  return {
    jobId: 'sums',
    now: new Date(0),
    counts: counts({ completed: 9_999, in_queue_original: 1, exception: 0 }),
    heldCount: 1,
    vms: [vm(), vm({ state: 'starting' }), vm({ state: 'terminated', endReason: 'preempted' })],
    spentUsd: 0.0123,
    capUsd: undefined,
    tasksPerSecond: 250.4,
    forecast: {
      p10At: new Date(800),
      p50At: new Date(1000),
      p90At: new Date(2600),
      remainingUsd: { p10: 0.0001, p50: 0.0002, p90: 0.0004 },
    },
    ...fields,
  }
}

describe('progress', () => {
  it('tells what a person wants to know, in one line', () => {
    assert.equal(
      renderLine(view()),
      '9,999 of 10,000 tasks done (99 %), 1 running, 0 failed, 250 tasks/s, 1 s left (1 s – 3 s), ' +
        '1 VM running, 1 starting, 1 preempted, $0.0123 so far at $0.2000/h, $0.0125 in the end ($0.0124 – $0.0127)',
    )
    const { forecast, ...rest } = view({ capUsd: 5 })
    assert.ok(forecast !== undefined)
    assert.match(
      renderLine({ ...rest, forecast: undefined }),
      /, 250 tasks\/s, 1 VM running, .*, \$0\.0123 of \$5\.00 so far/,
    )
  })

  it('says 100 % only when it is true, and counts failures apart', () => {
    const done = counts({ completed: 7, exception: 2, failed: 1 })
    assert.match(renderLine(view({ counts: done, heldCount: 0 })), /^10 of 10 tasks done \(100 %\), 3 failed/)
  })

  for (const columnCount of [10, 20, 40, 60, 200]) {
    it(`never draws a line wider than a screen of ${columnCount} columns, whatever the job is called`, () => {
      const some = counts({
        completed: 5,
        exception: 2,
        failed: 1,
        exception_with_retry: 3,
        pending: 9,
        in_queue_original: 80,
      })
      for (const color of [true, false]) {
        for (const jobId of ['sums', '銀河の写真を全部集めて足し算', 'a'.repeat(200), '👩‍🔬 é'.normalize('NFD')]) {
          const lines = renderBlock(view({ jobId, counts: some }), { columnCount, color })
          assert.equal(lines.length, 10)
          for (const line of lines) assert.ok(widthOf(line) < columnCount, `${widthOf(line)}: ${line}`)
          assert.equal(lines.join('').includes('\x1b'), color)
        }
      }
    })
  }

  it('draws a bar for each status, the pace, the end, VMs and money', () => {
    const some = counts({ completed: 50, exception: 10, in_queue_original: 40 })
    const lines = renderBlock(view({ counts: some, heldCount: 20, capUsd: 0.05 }), { columnCount: 100, color: false })
    assert.deepEqual(lines, [
      `sums  ${'█'.repeat(24)}${'▒'.repeat(8)}${'░'.repeat(8)}  60 % of 100 tasks`,
      `  done     50  ${'█'.repeat(30)}`,
      `  failed   10  ${'█'.repeat(6)}`,
      `  running  20  ${'█'.repeat(12)}`,
      `  waiting  20  ${'█'.repeat(12)}`,
      '  pace    250 tasks/s  ·  1 s left (1 s – 3 s)',
      '  VMs     1 VM running, 1 starting, 1 preempted',
      '  money   $0.0123 of $0.0500 so far at $0.2000/h  ·  $0.0125 in the end ($0.0124 – $0.0127)',
    ])
  })

  it('leaves out what does not fit, the least wanted first', () => {
    const narrow = renderBlock(view(), { columnCount: 40, color: false })
    assert.ok(
      narrow.some(line => line === '  pace    250 tasks/s'),
      narrow.join('\n'),
    )
    const low = renderBlock(view(), { columnCount: 100, rowCount: 5, color: false })
    assert.deepEqual(
      low.map(line => line.trim().split(' ')[0]),
      ['sums', 'pace', 'VMs', 'money'],
    )
  })

  it('knows how many columns a text takes', () => {
    assert.deepEqual(['abc', '銀河', 'e\u0301', '👩‍🔬', '\x1b[32mok\x1b[0m', ''].map(widthOf), [3, 4, 1, 2, 2, 0])
    assert.equal(cutTo('銀河系', 5), '銀河')
    assert.equal(cutTo('\x1b[32mabc\x1b[0m', 2), '\x1b[32mab\x1b[0m', 'the colour does not stay on')
  })

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
    assert.deepEqual([0.2, 59.1, 200, 3900, 190_800].map(renderDuration), [
      '1 s',
      '1 min 00 s',
      '3 min 20 s',
      '1 h 05 min',
      '2 d 05 h',
    ])
  })
})
