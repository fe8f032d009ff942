// The parts of the dashboard's index against the obvious way to do the same, with numbers drawn by a fixed seed.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findTasks } from '../../manager/dashboard/find-tasks.ts'
import { JobIndex } from '../../manager/dashboard/job-index.ts'
import { Throughput } from '../../manager/dashboard/throughput.ts'

/** In [0, 1), the same in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

describe('throughput', () => {
  it('keeps every attempt in the bucket of its time, however wide the job gets and in whatever order they come', () => {
    for (const [seed, spanMs] of [
      [1, 60_000],
      [2, 3_600_000],
      [3, 86_400_000 * 40],
    ] as const) {
      const random = seeded(seed)
      const throughput = new Throughput()
      const times: number[] = []
      for (let count = 0; count < 5000; count++) {
        const ms = 1_767_225_600_000 + Math.floor((count / 5000) * spanMs + (random() - 0.7) * spanMs * 0.1)
        times.push(ms)
        throughput.add(ms, count % 3 > 0)
      }
      const { fromMs, widthMs, count, completed, failed } = throughput.counted()
      for (let bucket = 0; bucket < count; bucket++) {
        const [begin, end] = [fromMs + bucket * widthMs, fromMs + (bucket + 1) * widthMs]
        const inside = times.flatMap((ms, index) => (ms >= begin && ms < end ? [index % 3 > 0] : []))
        const good = inside.filter(Boolean).length
        assert.deepEqual([completed[bucket], failed[bucket]], [good, inside.length - good], `bucket ${bucket}`)
      }
      assert.equal(completed.reduce((a, b) => a + b) + failed.reduce((a, b) => a + b), 5000)
      assert.ok(count <= 4096 && spanMs / widthMs > 0.4 * Math.min(4096, spanMs / 1000), `${count} of ${widthMs} ms`)
    }
  })
})

describe('the order of tasks', () => {
  it('is that of a whole sort, page by page, with equal values and any limit', () => {
    const random = seeded(7)
    const index = new JobIndex()
    const rows = Array.from({ length: 3000 }, (_, at) => ({ row: at + 1, seconds: Math.floor(random() * 50) }))
    for (const { row, seconds } of rows) {
      const failure = { exception: undefined, exitCode: undefined, deadLetter: undefined }
      index.setTask(row, { status: 'completed', elapsedSeconds: seconds, endedMs: undefined, attempt: 1, ...failure })
    }
    for (const descending of [false, true]) {
      const sign = descending ? -1 : 1
      const wanted = rows.toSorted((a, b) => sign * (a.seconds - b.seconds || a.row - b.row)).map(({ row }) => row)
      for (const limit of [1, 7, 500]) {
        const got: number[] = []
        let after: { value: number; row: number } | undefined
        do {
          const page = findTasks(
            index,
            { statuses: [] },
            { sort: 'elapsed', descending, limit, ...(after && { after }) },
          )
          assert.equal(page.totalMatching, 3000)
          got.push(...page.rows)
          after = page.next
        } while (after !== undefined && got.length < (limit === 1 ? 50 : 4000))
        assert.deepEqual(got, wanted.slice(0, got.length))
        assert.ok(limit === 1 || got.length === 3000)
      }
    }
  })
})
