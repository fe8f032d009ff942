// Holds the job database against the Python package's own, both ways. python-database.sql is a dump of one that its
// TaskDatabase wrote; python-statements.json are the statements that the same class sent to SQLite, values filled in.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, it } from 'node:test'
import { taskId } from '../../core/ids.ts'
import { openJobDb } from '../../manager/job-db.ts'
import { buildReport } from '../../manager/report.ts'
import { JobFolder } from '../support/job-folder.ts'

interface Recording {
  readonly calls: readonly { readonly call: string; readonly statements: readonly string[] }[]
}

const dump = readFileSync(new URL('python-database.sql', import.meta.url), 'utf8')
const recording: Recording = JSON.parse(readFileSync(new URL('python-statements.json', import.meta.url), 'utf8'))
const PYTHON_COUNTS = {
  pending: 1,
  in_queue_original: 1,
  timed_out_with_retry: 1,
  completed: 1,
  exception: 1,
  exited_without_status: 1,
}

describe('a database written by the Python package', () => {
  const folder = new JobFolder({
    jobId: 'py',
    taskModule: `export default (taskId, { a }) => [false, a]\n`,
  })
  after(() => folder.remove())

  function restore(): void {
    folder.write('py.db', '')
    const db = new DatabaseSync(folder.dbFile)
    db.exec(dump)
    db.close()
  }

  it('is reported on without being changed', async () => {
    restore()
    const before = readFileSync(folder.dbFile)
    const { exitCode, stdout, stderr } = await folder.run('report', '--db-file', 'py.db', '--json')
    assert.equal(exitCode, 0, stderr)
    const report = JSON.parse(stdout)
    assert.deepEqual([report.totalCount, report.unfinishedCount], [6, 3])
    // What the package's own get_task_statistics said of it.
    const { min, max, mean, median, p90, p95, standardDeviation } = report.elapsedSeconds
    const digits = [min, max, mean, median, p90, p95, standardDeviation].map(value => Number(value.toFixed(6)))
    assert.deepEqual(digits, [0.5, 60, 16, 1.75, 42.6, 51.3, 25.409152])
    assert.deepEqual(report.spotTerminatedHosts, ['vm-a'])
    assert.match(report.exceptions[0].text, /ValueError: it's bad/)
    assert.deepEqual(readFileSync(folder.dbFile), before)
  })

  it('is opened with its statuses, and can be continued to the end', { timeout: 60_000 }, async () => {
    restore()
    const opened = openJobDb(folder.dbFile, { mode: 'existing' })
    const counts = Object.fromEntries(Object.entries(opened.counts()).filter(([, count]) => count > 0))
    opened.close()
    assert.deepEqual(counts, PYTHON_COUNTS)

    const { exitCode, stderr, stdout } = await folder.run('run', '--config', 'job.yml', '--continue')
    assert.equal(exitCode, 1, stderr) // two of its tasks had failed for good
    assert.match(stdout, /^Completed +4 /m)
    const rows = folder.query('SELECT task_id, status, result FROM tasks ORDER BY task_id')
    assert.deepEqual(
      rows.map(row => [row.task_id, row.status, row.result]),
      [
        ['py-0', 'completed', '{"sum": 3}'],
        ['py-1', 'exception', null],
        ['py-2', 'completed', '2'],
        ['py-3', 'exited_without_status', null],
        ['py-4', 'completed', '4'],
        ['py-5', 'completed', '5'],
      ],
    )
    assert.equal(folder.count('task_data NOT LIKE \'%"big": 12345678901234567890%\''), 0)
    const counted = openJobDb(folder.dbFile, { mode: 'readonly' })
    const left = Object.fromEntries(Object.entries(counted.counts()).filter(([, count]) => count !== 0))
    assert.deepEqual(left, { completed: 4, exception: 1, exited_without_status: 1 })
    counted.close()
  })
})

describe('a database of ours', () => {
  const folder = new JobFolder({ jobId: 'ours' })
  after(() => folder.remove())

  it('serves every statement of the Python package, and counts what it wrote', () => {
    const db = openJobDb(folder.dbFile, { mode: 'create' })
    db.insertPending(['x', 'y'].map(id => ({ taskId: taskId(id), data: { of: id } })))
    for (const batch of db.pendingBatches()) db.markQueued(batch, new Date())
    db.close()

    const python = new DatabaseSync(folder.dbFile)
    const answers = new Map<string, unknown[]>()
    for (const { call, statements } of recording.calls) {
      for (const sql of statements) {
        if (!/^SELECT/.test(sql)) python.exec(sql)
        else answers.set(call, [...(answers.get(call) ?? []), ...python.prepare(sql).all()])
      }
    }
    python.close()
    const plain = (call: string) => answers.get(call)?.map(row => ({ ...(row as object) }))
    assert.deepEqual(plain('get_total_tasks'), [{ count: 8 }])
    assert.deepEqual(plain('is_all_tasks_complete'), [{ count: 5 }])
    assert.deepEqual(Object.fromEntries(plain('get_task_counts')?.map(row => Object.values(row)) ?? []), {
      ...PYTHON_COUNTS,
      in_queue_original: 3,
    })
    assert.equal(answers.get('iter_raw_events')?.length, 5)

    const again = openJobDb(folder.dbFile, { mode: 'existing' })
    const counts = Object.fromEntries(Object.entries(again.counts()).filter(([, count]) => count > 0))
    assert.deepEqual(counts, { ...PYTHON_COUNTS, in_queue_original: 3 })
    const report = buildReport(again, { now: new Date() })
    again.close()
    assert.deepEqual([report.totalCount, report.unfinishedCount, report.attempts.total], [8, 5, 4])
  })
})
