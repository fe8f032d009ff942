import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import summariseDelays, { type Delays } from '../../examples/flight-delays/task.ts'
import { commandsOf, ReaderFolder } from '../support/shell-blocks.ts'

const example = join(import.meta.dirname, '../../examples/flight-delays')
const data = join(import.meta.dirname, '../../node_modules/vega-datasets/data')

interface FlightTask {
  readonly task_id: string
  readonly data: Parameters<typeof summariseDelays>[1]
}

describe('flight delays', () => {
  let folder: string
  let tasks: FlightTask[]
  let summaries: ReadonlyMap<string, Delays>

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'flight-delays-'))
    const file = join(folder, 'tasks.json')
    execFileSync(process.execPath, [join(example, 'make-tasks.ts'), '--out', file])
    tasks = JSON.parse(readFileSync(file, 'utf8'))
    summaries = new Map(tasks.map(({ task_id, data }) => [task_id, summariseDelays(task_id, data)]))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('makes one task per airport and per distance band, and no flight is in none or in two', () => {
    const counts = { origin: 0, distance: 0 }
    for (const task of tasks) counts[task.data.group.by] += summaryOf(task).flights
    assert.deepEqual(counts, { origin: 20_000, distance: readFlights('flights-200k.json').length })
    assert.equal(new Set(tasks.map(({ task_id }) => task_id)).size, tasks.length)
  })

  it('agrees with a plain computation of median, 95th percentile and mean for every group', () => {
    for (const task of tasks) {
      const { task_id } = task
      const delays = delaysOf(task.data.group)
      const { flights, median, p95, mean } = summaryOf(task)
      assert.equal(flights, delays.length, task_id)
      assert.equal(median, plainMedian(delays), task_id)
      assert.ok(Math.abs(mean - delays.reduce((a, b) => a + b, 0) / delays.length) < 1e-9, task_id)
      // The percentile as counted: at least 95 % of the flights are no later than the next value up, and so for below.
      const share = (limit: number) => delays.filter(delay => delay <= limit).length / delays.length
      const sorted = delays.toSorted((a, b) => a - b)
      assert.ok(share(sorted.find(delay => delay >= p95 - 1e-9) ?? 0) >= 0.95, task_id)
      assert.ok(delays.filter(delay => delay < p95 - 1e-9).length / delays.length <= 0.95 + 1 / delays.length, task_id)
    }
  })

  it('finds the interval that the central limit theorem predicts where there are many flights', () => {
    const large = tasks.filter(({ data }) => delaysOf(data.group).length >= 1000)
    assert.ok(large.length >= 8)
    for (const task of large) {
      const { task_id } = task
      const delays = delaysOf(task.data.group)
      const mean = delays.reduce((a, b) => a + b, 0) / delays.length
      const variance = delays.reduce((sum, delay) => sum + (delay - mean) ** 2, 0) / (delays.length - 1)
      const halfWidth = 1.96 * Math.sqrt(variance / delays.length)
      const { interval } = summaryOf(task)
      assert.ok(interval !== null)
      // 1,000 resamples know the ends of the interval to about a tenth of its half width; three tenths never happens.
      assert.ok(Math.abs(interval.low - (mean - halfWidth)) < 0.3 * halfWidth, `${task_id}: low end`)
      assert.ok(Math.abs(interval.high - (mean + halfWidth)) < 0.3 * halfWidth, `${task_id}: high end`)
    }
  })

  it('gives the same interval for the same seed, and none for a handful of flights', () => {
    const busy = tasks.find(({ task_id }) => task_id === 'origin-ORD')
    assert.ok(busy)
    assert.deepEqual(summariseDelays('a', busy.data), summariseDelays('b', busy.data))
    assert.notDeepEqual(summariseDelays('a', busy.data), summariseDelays('a', { ...busy.data, seed: 1 }))
    const quiet = tasks.filter(({ data }) => delaysOf(data.group).length < 10)
    assert.ok(quiet.length > 0)
    for (const task of quiet) assert.equal(summaryOf(task).interval, null)
  })

  it('runs by the commands of its README, to a table and a chart of the same numbers', {
    timeout: 90_000,
  }, async () => {
    const document = 'examples/flight-delays/README.md'
    const reader = new ReaderFolder(document)
    try {
      for (const command of commandsOf(document)) {
        const { exitCode, stdout, stderr } = await reader.run(command)
        assert.equal(exitCode, 0, `${command}\n${stdout}\n${stderr}`)
      }
      const rows = readFileSync(reader.file('delays.csv'), 'utf8').trim().split('\n').slice(1)
      const expected = tasks.map(task => {
        const { flights, median, p95, mean, interval } = summaryOf(task)
        const { group } = task.data
        const label = group.by === 'origin' ? group.airport : `${group.fromMiles}–${group.belowMiles - 1} mi`
        return [group.by, label, flights, median, p95, mean, interval?.low ?? '', interval?.high ?? ''].join(',')
      })
      assert.deepEqual(rows.toSorted(), expected.toSorted())
      assert.equal(readFileSync(reader.file('delays.md'), 'utf8').match(/^\| /gm)?.length, tasks.length + 1)
      const chart = readFileSync(reader.file('delays.svg'), 'utf8')
      assert.match(chart, /^<svg .*the 30 busiest airports.*<\/svg>$/s)
      assert.doesNotMatch(chart, /NaN|undefined/)
    } finally {
      assert.equal(reader.remove(), 0, 'nothing runs on')
    }
  })

  function summaryOf({ task_id }: FlightTask): Delays {
    const summary = summaries.get(task_id)
    assert.ok(summary, task_id)
    return summary
  }
})

interface Flight {
  readonly delay: number
  readonly distance: number
  readonly origin?: string
}

const cache = new Map<string, readonly Flight[]>()

function readFlights(name: string): readonly Flight[] {
  const flights = cache.get(name) ?? JSON.parse(readFileSync(join(data, name), 'utf8'))
  cache.set(name, flights)
  return flights
}

function delaysOf(group: FlightTask['data']['group']): number[] {
  if (group.by === 'origin') {
    return readFlights('flights-20k.json').flatMap(flight => (flight.origin === group.airport ? [flight.delay] : []))
  }
  const inBand = ({ distance }: Flight) => distance >= group.fromMiles && distance < group.belowMiles
  return readFlights('flights-200k.json').flatMap(flight => (inBand(flight) ? [flight.delay] : []))
}

function plainMedian(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
