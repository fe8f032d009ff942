// The dashboard over a big job: how soon it answers, how long a filter takes, how much memory it needs, and what it costs the
// collector that works beside it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExceptionsView, JobView, VmsView } from '../../manager/dashboard/api.ts'
import { compile } from './compiled.ts'
import type { Context } from './context.ts'
import { alternate, quantile } from './measure.ts'
import { watchPeakMb } from './process-memory.ts'
import { numberOf, runProgram } from './program.ts'
import type { Row } from './row.ts'
import { copyOf, makeTemplate, program, RUN } from './template.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

const FIRST_ANSWER_MS = 1000
const FILTER_MS = 200
const MEMORY_MB = 150
const SLOWDOWN = 0.95 // of the collector's speed must be left
const ROUNDS = 10
const INDEX_MS = 120_000

export async function measureDashboard({ sizes, repeats, say }: Context): Promise<readonly Row[]> {
  await using compiled = await compile()
  const rows: Row[] = []
  for (const count of sizes.bigJobs) {
    say(`the dashboard over ${count.toLocaleString('en-US')} tasks`)
    const size = count >= 1_000_000 ? `${count / 1_000_000} million tasks` : `${count / 1000},000 tasks`
    const { firstMs, indexedMs, filtersMs, peakMb } = await watchBigJob(
      join(compiled.path, 'manager', 'main.js'),
      count,
    )
    const what = (part: string) => `dashboard, ${size}: ${part}`
    rows.push(
      { what: what('start to first table'), unit: 'ms', ours: firstMs, target: { below: FIRST_ANSWER_MS } },
      { what: what('start until all is read'), unit: 'ms', ours: indexedMs },
      { what: what('filters, p99'), unit: 'ms', ours: quantile(filtersMs, 0.99), target: { below: FILTER_MS } },
      { what: what('filters, median'), unit: 'ms', ours: quantile(filtersMs, 0.5) },
      { what: what('peak RSS'), unit: 'MB', ours: peakMb, target: { below: MEMORY_MB } },
    )
  }
  return [...rows, await measureSlowdown(sizes.tasks, { repeats, say })]
}

async function watchBigJob(main: string, count: number) {
  await using folder = await openTemporaryFolder()
  const file = join(folder.path, 'job.db')
  await runProgram([program('fill-job-db.ts'), file, String(count)], RUN)
  const startedMs = performance.now()
  const child = spawn(process.execPath, [main, 'dashboard', '--db-file', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const peakMb = watchPeakMb(child.pid ?? 0)
    const [said] = await once(child.stdout, 'data')
    const origin = /http:\S+(?=\/)/.exec(String(said))?.[0] ?? ''
    const get = async <View>(path: string) => (await (await fetch(origin + path)).json()) as View
    await get<JobView>('/api/job')
    await get('/api/tasks')
    const firstMs = performance.now() - startedMs
    while ((await get<JobView>('/api/job')).indexedShare < 1) {
      if (performance.now() - startedMs > INDEX_MS) throw new Error('The dashboard has not read its database in time.')
      await sleep(20)
    }
    const indexedMs = performance.now() - startedMs
    const filters = await filtersOf(get)
    const filtersMs: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      for (const filter of filters) {
        const before = performance.now()
        await get(`/api/tasks?${filter}`)
        filtersMs.push(performance.now() - before)
      }
    }
    for (const path of ['series', 'histogram', 'slowest', 'exceptions', 'vms']) await get(`/api/${path}`)
    return { firstMs, indexedMs, filtersMs, peakMb: peakMb() }
  } finally {
    child.kill('SIGKILL')
    await once(child, 'close')
  }
}

/** One of each kind, and some together; those that match all tasks and those that match none among them. */
async function filtersOf(get: <View>(path: string) => Promise<View>): Promise<readonly string[]> {
  const [group] = (await get<ExceptionsView>('/api/exceptions')).groups
  const vm = (await get<VmsView>('/api/vms')).vms[7]
  return [
    '',
    'status=completed',
    'status=failures&sort=ended&dir=desc',
    'sort=elapsed&dir=desc',
    'sort=ended&dir=desc',
    'search=99',
    'search=0',
    'search=nothing',
    `exception=${group?.id}`,
    `vm=${vm?.id}&sort=elapsed`,
    `vm=${vm?.id}&status=failures&search=1&sort=ended&dir=desc`,
  ]
}

/** With a page that listens: as `run --dashboard` has it. */
async function measureSlowdown(count: number, { repeats, say }: Pick<Context, 'repeats' | 'say'>): Promise<Row> {
  say('the collector beside a dashboard')
  await using folder = await openTemporaryFolder()
  const template = await makeTemplate(folder.path, count)
  await runProgram([program('fill-events.ts'), template.ours, String(count)], RUN)
  const collect = async (...options: readonly string[]) => {
    await using copy = await copyOf(template.ours)
    return numberOf(await runProgram([program('collect.ts'), copy.path, ...options], RUN), 'perSecond')
  }
  const { alone, beside } = await alternate(
    { alone: () => collect(), beside: () => collect('--dashboard') },
    { repeats },
  )
  return {
    what: 'collector beside a dashboard that is looked at',
    unit: 'events/s',
    ours: beside,
    limit: { name: 'without', value: alone },
    target: { atLeast: SLOWDOWN * alone },
  }
}
