// The dashboard over database files that are not the usual one: of the Python package, bare, copied, locked away, replaced.
import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type {
  ExceptionsView,
  JobView,
  SeriesView,
  TaskDetail,
  TasksView,
  VmsView,
} from '../../manager/dashboard/api.ts'
import { openDashboard } from '../../manager/dashboard/server.ts'
import { foldIntoOneFile, openJobDb } from '../../manager/job-db.ts'
import { DashboardJob, Page } from '../support/dashboard-job.ts'

const TIMEOUT = { timeout: 60_000 }

let job: DashboardJob
beforeEach(() => {
  job = new DashboardJob()
})
afterEach(() => job.remove())

describe('a database that is not the usual one', TIMEOUT, () => {
  const dump = readFileSync(new URL('../compatibility/python-database.sql', import.meta.url), 'utf8')

  it('of the Python package is shown as far as it goes, and not changed', async () => {
    const file = join(job.folder, 'python.db')
    const python = new DatabaseSync(file)
    python.exec(dump)
    python.close()
    const before = readFileSync(file)
    const page = await job.open({ file })
    const state = await page.indexed()
    assert.deepEqual([state.total, state.doneCount, state.counts.completed], [6, 3, 1])
    assert.equal((await page.get<TasksView>('/api/tasks?status=completed')).rows[0]?.status, 'completed')
    assert.ok(
      (await page.get<ExceptionsView>('/api/exceptions')).groups.some(group => /ValueError/.test(group.firstLine)),
    )
    assert.ok((await page.get<VmsView>('/api/vms')).vms.length > 0)
    assert.equal(
      (await page.get<SeriesView>('/api/series')).waiting.every(value => value === null),
      true,
    )
    assert.deepEqual(readFileSync(file), before)
  })

  it('with nothing but tasks has empty charts', async () => {
    const file = join(job.folder, 'tasks-only.db')
    const bare = new DatabaseSync(file)
    bare.exec(`CREATE TABLE tasks (task_id TEXT PRIMARY KEY, task_data TEXT, status TEXT, retry BOOLEAN, enqueued_at TIMESTAMP,
      started_at TIMESTAMP, completed_at TIMESTAMP, elapsed_time REAL, hostname TEXT, result TEXT, exception TEXT, exit_code INTEGER);
      INSERT INTO tasks (task_id, status) VALUES ('a', 'pending')`)
    bare.close()
    const page = await job.open({ file })
    assert.equal((await page.indexed()).counts.pending, 1)
    for (const path of ['series', 'vms', 'exceptions', 'histogram', 'slowest', 'tasks', 'task?id=a', 'vms/x/tasks']) {
      assert.equal((await page.ask(`/api/${path}`)).status, 200, path)
    }
  })

  it('copied without its WAL, or into a folder where nobody may write, is shown as it is', async () => {
    job.load(['a', 'b'])
    job.db.sqlite.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    const folder = join(job.folder, 'archive')
    mkdirSync(folder)
    const file = join(folder, 'copy.db')
    copyFileSync(job.file, file)
    const copy = await openDashboard({ file })
    assert.equal((await new Page(copy.url).indexed()).total, 2)
    await copy.close()
    chmodSync(folder, 0o500)
    const locked = await openDashboard({ file })
    try {
      assert.equal((await new Page(locked.url).indexed()).total, 2)
    } finally {
      await locked.close()
      chmodSync(folder, 0o700)
    }
  })

  it('with events that are none is shown all the same', async () => {
    job.load(['a'])
    job.db.applyEvents(['not JSON', '{"event_type":"task_completed"}', '[1]'], new Date())
    job.collect(['completed', 'unknown-task', {}], ['completed', 'a', { result: 1, elapsed_time: 'long' }])
    const page = await job.open()
    assert.equal((await page.indexed()).counts.completed, 1)
    assert.equal((await page.get<TaskDetail>('/api/task?id=a')).attempts.length, 1)
  })

  it('that another one replaces gives way to it, and one that goes is said to be gone', async () => {
    job.load(['old-1', 'old-2'])
    const page = await job.open()
    await page.indexed()
    const file = join(job.folder, 'new.db')
    const next = openJobDb(file, { mode: 'create' })
    next.saveJob({ jobId: 'next' })
    next.close()
    job.db.close()
    foldIntoOneFile(job.file) // while the dashboard reads it, and with a WAL: nothing of it may be lost
    const old = new DatabaseSync(job.file, { readOnly: true })
    assert.equal(old.prepare('SELECT count(*) AS n FROM tasks').get()?.n, 2)
    old.close()
    renameSync(file, job.file)
    const found = await page.until<JobView>('the new job', '/api/job', view => view.jobId === 'next')
    assert.equal(found.total, 0)
    await page.until<TasksView>('no task', '/api/tasks', view => view.totalMatching === 0)
    renameSync(job.file, `${job.file}.gone`)
    const gone = await page.until<JobView>('trouble', '/api/job', view => view.trouble !== undefined)
    assert.match(gone.trouble ?? '', /is not there any more/)
    assert.equal(gone.jobId, 'next')
  })

  it('that is no job is refused in a sentence', async () => {
    const file = join(job.folder, 'other.db')
    const other = new DatabaseSync(file)
    other.exec('CREATE TABLE x (y)')
    other.close()
    await assert.rejects(openDashboard({ file }), /not one of a job/)
    await assert.rejects(openDashboard({ file: join(job.folder, 'none.db') }), /does not exist/)
  })
})
