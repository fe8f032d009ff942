import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, it } from 'node:test'
import { taskId } from '../../core/ids.ts'
import { openJobDb } from '../../manager/job-db.ts'
import { writeHtmlReport } from '../../manager/report-html.ts'
import { joinModules } from '../../manager/report-html-script.ts'
import { JobFolder } from '../support/job-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'report-html-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const BREAK_OUT = '</script><script>alert(1)</script><!--'

/** `count` tasks, each of them failed with a text that would end the element that carries it. */
function failedJob(name: string, count: number): string {
  const file = join(folder, name)
  const db = openJobDb(file, { mode: 'create' })
  db.saveJob({ jobId: 'failed' })
  const ids = Array.from({ length: count }, (_, index) => `${BREAK_OUT}${index}`)
  db.insertPending(ids.map(id => ({ taskId: taskId(id), data: {} })))
  for (const batch of db.pendingBatches()) db.markQueued(batch, new Date('2026-01-01T00:00:00Z'))
  const events = ids.map(id =>
    JSON.stringify({
      timestamp: '2026-01-01T00:01:00.000000+00:00',
      hostname: 'h',
      event_type: 'task_exception',
      task_id: id,
      attempt: 1,
      elapsed_time: 1,
      retry: false,
      exception: `${BREAK_OUT}${'x'.repeat(20_000)}`,
    }),
  )
  db.applyEvents(events, new Date('2026-01-01T00:02:00Z'))
  db.close()
  return file
}

function dataOf(html: string) {
  return JSON.parse(/<script type="application\/json" id="report-data">(.*?)<\/script>/s.exec(html)?.[1] ?? '')
}

describe('the report as one HTML file', () => {
  it('lets nothing that a task says end the element that carries it, and allows only its own scripts and styles', async () => {
    const file = join(folder, 'report.html')
    await writeHtmlReport(failedJob('three.db', 3), { file })
    const html = readFileSync(file, 'utf8')
    assert.ok(!html.includes(BREAK_OUT))
    assert.equal(dataOf(html).tasks[0].row.taskId, `${BREAK_OUT}0`)
    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1] ?? ''
    const allowed = [...policy.matchAll(/'sha256-([^']+)'/g)].map(([, hash]) => hash)
    const parts = [...html.matchAll(/<(script|style)>(.*?)<\/\1>/gs)].map(([, , text = '']) => text)
    assert.equal(parts.length, 3, 'styles, the charting library, the page')
    const hashes = parts.map(text => createHash('sha256').update(text).digest('base64'))
    assert.deepEqual(hashes.toSorted(), allowed.toSorted())
    assert.match(policy, /^default-src 'none'; /)
    assert.doesNotMatch(policy, /unsafe|http|\*/)
    assert.doesNotMatch(html, /\b(src|href)="(?!data:|#)/)
  })

  it('names some of many failed tasks, says so, and stays small', async () => {
    const file = join(folder, 'many.html')
    const bytes = await writeHtmlReport(failedJob('many.db', 3000), { file })
    assert.ok(bytes < 3e6, `${bytes} bytes`)
    const data = dataOf(readFileSync(file, 'utf8'))
    assert.equal(data.job.counts.exception, 3000)
    assert.ok(data.tasks.length >= 1000 && data.tasks.length <= 1500)
    assert.match(data.omitted, /Of 3,000 tasks this file names 1,\d\d\d/)
    assert.ok(data.details.length > 10, 'the first have all their details')
  })

  it('is written whole or not at all', async () => {
    const target = mkdtempSync(join(folder, 'target-'))
    const file = join(target, 'report.html')
    writeFileSync(file, 'of an earlier hour')
    await assert.rejects(writeHtmlReport(join(folder, 'nowhere.db'), { file }), /does not exist/)
    assert.equal(readFileSync(file, 'utf8'), 'of an earlier hour')
    await assert.rejects(
      writeHtmlReport(failedJob('one.db', 1), { file: join(target, 'missing', 'report.html') }),
      /report\.html: its folder does not exist/,
    )
    assert.deepEqual(readdirSync(target), ['report.html'])
  })

  it('reads a database of the Python package, which has no VMs and no money', async () => {
    const dbFile = join(folder, 'python.db')
    const sqlite = new DatabaseSync(dbFile)
    sqlite.exec(readFileSync(new URL('../compatibility/python-database.sql', import.meta.url), 'utf8'))
    sqlite.close()
    const file = join(folder, 'python.html')
    await writeHtmlReport(dbFile, { file })
    const data = dataOf(readFileSync(file, 'utf8'))
    assert.ok(data.job.total > 0)
    assert.equal(data.tasks.length, data.job.total)
    assert.equal(data.job.cost.spentUsd, 0)
  })

  it('is an option of report, which can print its figures at the same time', async () => {
    const job = new JobFolder({ taskCount: 1 })
    try {
      const dbFile = failedJob('cli.db', 2)
      const both = await job.run('report', '--db-file', dbFile, '--html', 'report.html', '--json')
      assert.equal(both.exitCode, 0, both.stderr)
      assert.equal(JSON.parse(both.stdout).totalCount, 2)
      assert.ok(existsSync(job.file('report.html')))
      const alone = await job.run('report', '--db-file', dbFile, '--html', 'report.html')
      assert.match(alone.stdout, /^Report of .*cli\.db: report\.html \(0\.\d MB\)/)
    } finally {
      await job.remove()
    }
  })
})

describe('the page’s modules joined into one script', () => {
  const read = (modules: Readonly<Record<string, string>>) => (name: string) => modules[name] ?? assert.fail(name)

  it('runs each module once, before those that import it, under the names they use', () => {
    const script = joinModules(
      'main.js',
      read({
        'main.js': `import { add as plus } from './sum.js'\nimport {\n  log,\n  write\n} from './log.js'\nwrite(plus(2, log.length))\n`,
        'sum.js': `import { write } from './log.js'\nwrite('sum')\nexport function add(a, b) { return a + b }\n`,
        'log.js': `export const log = []\nexport function write(text) { log.push(text); globalThis.joined = log }\nexport function* each() {}\nexport async function later() {}\nexport class Log {}\n`,
      }),
    )
    new Function(script)()
    assert.deepEqual(Reflect.get(globalThis, 'joined'), ['sum', 3])
  })

  it('refuses what it does not know rather than writing a report that does not open', () => {
    for (const line of [`import x from './a.js'`, `export default 1`, `import './a.js'`, `export * from './a.js'`]) {
      assert.throws(
        () => joinModules('main.js', read({ 'main.js': line, 'a.js': '' })),
        /cannot carry this line of main.js/,
      )
    }
    const circle = {
      'main.js': `import { a } from './a.js'\n`,
      'a.js': `import { b } from './main.js'\nexport const a = 1\n`,
    }
    assert.throws(() => joinModules('main.js', read(circle)), /import in a circle: main.js, a.js/)
  })
})
