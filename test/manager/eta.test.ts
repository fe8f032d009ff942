import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, it } from 'node:test'
import { forecastEnd } from '../../manager/eta.ts'
import { ProgressHistory, type ProgressSample } from '../../manager/eta-history.ts'
import { type RecordedRun, recordRun } from '../../scripts/simulate/record-progress.ts'

const FIRST_SEED = Number(process.env.ETA_SEED ?? 500)
const RUN_COUNT = Number(process.env.ETA_RUNS ?? 28) // four of each kind of tasks
const MOMENTS_OF_A_RUN = 20

interface Tally {
  early: number
  within: number
  late: number
}

/** How often the truth was before, within and after the range, at moments spread over each run. */
function judge(runs: readonly RecordedRun[]): { readonly end: Tally; readonly cost: Tally } {
  const [end, cost] = [
    { early: 0, within: 0, late: 0 },
    { early: 0, within: 0, late: 0 },
  ]
  for (const run of runs) {
    const history = new ProgressHistory()
    const asked = new Set(
      Array.from({ length: MOMENTS_OF_A_RUN }, (_, i) =>
        Math.floor(((i + 0.5) * run.moments.length) / MOMENTS_OF_A_RUN),
      ),
    )
    for (const [index, moment] of run.moments.entries()) {
      history.add(moment)
      history.hear(
        moment.taskSeconds.map(seconds => `{"event_type":"task_completed","elapsed_time":${seconds.toFixed(4)}}`),
      )
      if (!asked.has(index) || moment.unfinishedCount === 0) continue
      const forecast = forecastEnd(history.samples, { taskSeconds: history.taskSeconds })
      if (forecast === undefined) continue
      count(end, run.endMs, { p10: forecast.p10At.getTime(), p90: forecast.p90At.getTime() })
      if (forecast.remainingUsd !== undefined) count(cost, run.costUsd - moment.spentUsd, forecast.remainingUsd)
    }
  }
  return { end, cost }
}

function count(tally: Tally, truth: number, { p10, p90 }: { readonly p10: number; readonly p90: number }): void {
  if (truth < p10) tally.early += 1
  else if (truth > p90) tally.late += 1
  else tally.within += 1
}

function assertCalibrated(what: string, { early, within, late }: Tally, mostOnOneSide = 0.2): void {
  const total = early + within + late
  const text = `${what}: ${early} early, ${within} within, ${late} late of ${total}`
  assert.ok(within / total >= 0.7 && within / total <= 0.9, text)
  assert.ok(early / total <= mostOnOneSide && late / total <= mostOnOneSide, text)
}

describe('the forecast of a job’s end', () => {
  it(`holds the truth about four times of five, in ${RUN_COUNT} simulated jobs with preemptions, bursts and long tails`, async t => {
    const runs: RecordedRun[] = []
    for (let seed = FIRST_SEED; seed < FIRST_SEED + RUN_COUNT; seed++) runs.push(await recordRun(seed))
    const { end, cost } = judge(runs)
    t.diagnostic(`end ${JSON.stringify(end)}, cost ${JSON.stringify(cost)}`)
    assertCalibrated('end', end)
    assertCalibrated('cost', cost)
  })

  it('holds the truth about as often in recorded runs on real VMs', t => {
    const folder = join(import.meta.dirname, '../fixtures/recorded-runs')
    const files = globSync('*.jsonl', { cwd: folder }).toSorted()
    assert.ok(files.length >= 5)
    const runs = files.map((file): RecordedRun => {
      const [run, ...moments] = readFileSync(join(folder, file), 'utf8')
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line))
      return { ...run, moments }
    })
    const { end, cost } = judge(runs)
    t.diagnostic(
      `${files.map(file => basename(file)).join(' ')}: end ${JSON.stringify(end)}, cost ${JSON.stringify(cost)}`,
    )
    // A handful of runs, each of which errs to one side: the sides are told apart less well.
    assertCalibrated('end', end, 0.25)
    assertCalibrated('cost', cost, 0.25)
  })

  it('says nothing before tasks have ended, and the moment itself when all have', () => {
    assert.equal(forecastEnd([]), undefined)
    assert.equal(forecastEnd([sample(0, 0, 100), sample(60, 2, 98)]), undefined)
    const over = forecastEnd([sample(0, 0, 100), sample(60, 100, 0)])
    assert.deepEqual([over?.p10At.getTime(), over?.p90At.getTime(), over?.remainingUsd?.p90], [60_000, 60_000, 0])
  })

  it('gives the same answer to the same history, and a narrower one to a longer history', () => {
    const samples = Array.from({ length: 100 }, (_, i) => sample(i * 10, i * 40, 40_000 - i * 40))
    const whole = forecastEnd(samples)
    assert.deepEqual(forecastEnd(samples), whole)
    assert.ok(whole !== undefined && whole.p10At < whole.p50At && whole.p50At < whole.p90At)
    const width = (count: number) => {
      const forecast = forecastEnd(samples.slice(0, count))
      assert.ok(forecast !== undefined)
      const { p10At, p50At, p90At } = forecast
      return (p90At.getTime() - p10At.getTime()) / (p50At.getTime() - (samples[count - 1]?.atMs ?? 0))
    }
    assert.ok(width(100) < width(4), `${width(100)} ${width(4)}`)
    // 4 tasks a second, 36,040 left.
    assert.ok(Math.abs((whole.p50At.getTime() - 990_000) / 9_010_000 - 1) < 0.1)
  })

  it('knows that VMs on their way will help, and that what is left of the budget is all that can be spent', () => {
    const few = Array.from({ length: 50 }, (_, i) => ({
      ...sample(i * 10, i * 20, 20_000 - i * 20),
      slotCount: 10,
      usdPerHour: 1,
    }))
    const last = few.at(-1)
    assert.ok(last !== undefined)
    const more = [...few.slice(0, -1), { ...last, startingSlotCount: 90 }]
    const seconds = (samples: readonly ProgressSample[]) => (forecastEnd(samples)?.p50At.getTime() ?? 0) - last.atMs
    assert.ok(seconds(more) < seconds(few) / 2, `${seconds(more)} ${seconds(few)}`)
    assert.ok((forecastEnd(few)?.remainingUsd?.p50 ?? 0) > 1)
    assert.equal(forecastEnd(few, { leftUsd: 0.5 })?.remainingUsd?.p90, 0.5)
  })

  it('counts what VMs did before they were seen to run', () => {
    const samples: ProgressSample[] = [
      { atMs: 0, doneCount: 0, unfinishedCount: 41, slotCount: 0, startingSlotCount: 2 },
      { atMs: 1000, doneCount: 40, unfinishedCount: 1, slotCount: 0, startingSlotCount: 2 },
      { atMs: 2000, doneCount: 40, unfinishedCount: 1, slotCount: 2 },
    ]
    assert.ok((forecastEnd(samples)?.p90At.getTime() ?? 0) > 2000)
  })

  it('keeps a bounded history of a long job, its beginning and its latest moment among it', () => {
    const history = new ProgressHistory()
    for (let second = 0; second < 100_000; second++) history.add(sample(second, second, 200_000 - second))
    const { samples } = history
    assert.ok(samples.length < 400 && samples.length > 100, `${samples.length}`)
    assert.equal(samples[0]?.atMs, 0)
    assert.equal(samples.at(-1)?.atMs, 99_999_000)
    assert.ok(samples.every((one, i) => i === 0 || one.atMs > (samples[i - 1]?.atMs ?? 0)))
    history.hear(Array.from({ length: 5000 }, (_, i) => `{"event_type":"task_exception","elapsed_time":${i}.5}`))
    history.hear(['{"event_type":"task_interrupted","elapsed_time":9}', '{"event_type":"keep_alive"}', 'no event'])
    history.hear(['{"event_type": "task_completed", "elapsed_time": 7.5, "result": {"elapsed_time": 3}}'])
    assert.ok(history.taskSeconds.length > 0 && history.taskSeconds.length <= 256)
    assert.ok(history.taskSeconds.every(seconds => seconds % 1 === 0.5))
  })
})

function sample(second: number, doneCount: number, unfinishedCount: number): ProgressSample {
  return { atMs: second * 1000, doneCount, unfinishedCount, slotCount: 40, usdPerHour: 1 }
}
