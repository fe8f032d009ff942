import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type StatusCounts, TASK_STATUSES } from '../../manager/job-db-status.ts'
import { ProgressMeter, type ProgressView, renderBlock, renderDuration, renderLine } from '../../manager/progress.ts'
import { vm } from './offers.ts'

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

  it('writes durations as people say them', () => {
    assert.deepEqual([0.2, 59.1, 200, 3900].map(renderDuration), ['1 s', '1 min 00 s', '3 min 20 s', '1 h 05 min'])
  })
})
