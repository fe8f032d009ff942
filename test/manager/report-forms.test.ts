import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { taskId, vmId } from '../../core/ids.ts'
import { openJobDb } from '../../manager/job-db.ts'
import { buildReport } from '../../manager/report.ts'
import { readCharts, renderCharts } from '../../manager/report-charts.ts'
import { csvOfTasks } from '../../manager/report-csv.ts'
import { JobFolder } from '../support/job-folder.ts'
import { runInTerminal } from '../support/pseudo-terminal.ts'

const TIMEOUT = { timeout: 60_000 }
const CLI = fileURLToPath(new URL('../../manager/main.ts', import.meta.url))
const START_MS = Date.UTC(2026, 0, 1)

/** A thousand tasks of 0.1 to 10 seconds that ended evenly over an hour, on one VM. */
function job() {
  const db = openJobDb(':memory:', { mode: 'create' })
  db.saveJob({ jobId: 'sums' })
  const ids = Array.from({ length: 1000 }, (_, i) => `task-${i}`)
  db.insertPending(ids.map(id => ({ taskId: taskId(id), data: {} })))
  for (const batch of db.pendingBatches()) db.markQueued(batch, new Date(START_MS))
  db.applyEvents(
    ids.map((id, i) =>
      JSON.stringify({
        timestamp: new Date(START_MS + (i + 1) * 3600).toISOString().replace('Z', '000+00:00'),
        hostname: 'h',
        event_type: 'task_completed',
        task_id: id,
        retry: false,
        elapsed_time: 0.1 * 100 ** (i / 999),
        result: { sum: i, text: i === 0 ? 'a "quoted", text\nin two lines' : '' },
        instance_id: 'vm-1',
      }),
    ),
    new Date(),
  )
  db.saveVms(
    [
      {
        id: vmId('vm-1'),
        jobId: 'sums',
        state: 'terminated',
        instanceType: 'local-2',
        zone: 'a',
        spot: true,
        vcpuCount: 2,
        priceUsdPerHour: 1,
        launchedAt: new Date(START_MS),
        endedAt: new Date(START_MS + 3_600_000),
      },
    ],
    new Date(),
  )
  return db
}

describe('the report on a terminal', () => {
  it('draws how long tasks took, how fast they came, and what the money was for', t => {
    const db = job()
    t.after(() => db.close())
    const report = buildReport(db, { now: new Date() })
    const charts = readCharts(db.sqlite, report)
    assert.equal(
      charts.times.reduce((sum, { count }) => sum + count, 0),
      1000,
    )
    assert.equal(
      charts.ended.reduce((sum, count) => sum + count, 0),
      1000,
    )
    const counts = charts.times.map(({ count }) => count)
    assert.ok(Math.max(...counts) < 1.2 * Math.min(...counts), `even in the logarithm: ${counts}`)
    assert.ok(Math.abs((charts.times.at(-1)?.to ?? 0) - 10) < 0.1)
    for (const columnCount of [40, 80, 200]) {
      const text = renderCharts(charts, report, { columnCount, color: false })
      for (const line of text.split('\n')) assert.ok(line.length <= Math.max(60, columnCount), line)
      assert.match(text, /^Time per task\n {2,}100 ms – 190 ms {2}▇+ 14\d$/m)
      assert.match(text, /^Tasks ended over the job's 60\.0 min, at most 0\.2\d a second\n {2}[▇█]+$/m)
      assert.match(text, /^What the money was for\n {2}[█▓▒░]+\n {2}█ work {3}▓ lost {3}▒ boot {3}░ idle$/m)
      assert.ok(!text.includes('\x1b'))
    }
    assert.ok(renderCharts(charts, report, { columnCount: 80, color: true }).includes('\x1b[36m▇'))
  })

  it('draws nothing for a handful of tasks, which their numbers tell better', t => {
    const db = openJobDb(':memory:', { mode: 'create' })
    t.after(() => db.close())
    const report = buildReport(db, { now: new Date() })
    assert.equal(renderCharts(readCharts(db.sqlite, report), report, { columnCount: 80, color: true }), '')
  })

  it('has charts on a terminal and only there', TIMEOUT, async t => {
    const folder = new JobFolder({ taskCount: 60 })
    t.after(() => folder.remove())
    const { exitCode, stdout } = await folder.run('run', '--config', 'job.yml', '--task-file', 'tasks.json')
    assert.equal(exitCode, 0)
    assert.doesNotMatch(stdout, /Time per task\n|▇/)
    const { lines } = await runInTerminal([process.execPath, CLI, 'report', '--db-file', folder.dbFile])
    assert.ok(lines.includes('Time per task') && lines.includes('What the money was for'), lines.join('\n'))
    const plain = await folder.run('report', '--config', 'job.yml')
    assert.deepEqual(plain.stdout.trimEnd().split('\n'), lines.slice(0, plain.stdout.trimEnd().split('\n').length))
  })
})

describe('report --csv', () => {
  it('has one line for each task, in which every text comes back as it was', t => {
    const db = job()
    t.after(() => db.close())
    const text = [...csvOfTasks(db.sqlite)].join('\n')
    const [head, first, ...rest] = parseCsv(text)
    assert.equal(
      head?.join(),
      'task_id,status,attempt,elapsed_seconds,enqueued_at,completed_at,hostname,exit_code,exception,dead_letter,result',
    )
    assert.equal(rest.length, 999)
    assert.deepEqual([first?.[0], first?.[1], first?.[3], first?.[8]], ['task-0', 'completed', '0.1', ''])
    assert.deepEqual(JSON.parse(first?.[10] ?? ''), { sum: 0, text: 'a "quoted", text\nin two lines' })
    assert.ok([...csvOfTasks(db.sqlite)].length > 1, 'it comes in pieces')
  })

  it('is printed by the command', TIMEOUT, async t => {
    const folder = new JobFolder({ taskCount: 5 })
    t.after(() => folder.remove())
    await folder.run('run', '--config', 'job.yml', '--task-file', 'tasks.json')
    const { stdout, exitCode } = await folder.run('report', '--config', 'job.yml', '--csv')
    assert.equal(exitCode, 0)
    const rows = parseCsv(stdout.trimEnd())
    assert.deepEqual(
      rows.slice(1).map(row => [row[0], row[10]]),
      [0, 1, 2, 3, 4].map(i => [`sum-${i}`, String(3 * i)]),
    )
  })
})

function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]]
  for (const [, quoted, plain = '', end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain)
    if (end === '') break
    if (end === '\n') rows.push([])
  }
  return rows
}
