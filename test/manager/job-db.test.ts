import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, it } from 'node:test'
import { UserError } from '../../core/errors.ts'
import { taskId, vmId } from '../../core/ids.ts'
import { messageOfTask, type Task } from '../../core/task.ts'
import type { Vm } from '../../infra/provider.ts'
import { type JobDb, openJobDb } from '../../manager/job-db.ts'

const folder = await mkdtemp(join(tmpdir(), 'job-db-'))
after(() => rm(folder, { recursive: true }))

let fileCount = 0
function newFile(): string {
  return join(folder, `job-${++fileCount}.db`)
}

function createDb(t: { after(fn: () => void): void }, tasks: readonly Task[] = []): JobDb {
  const db = openJobDb(newFile(), { mode: 'create' })
  t.after(() => db.close())
  db.insertPending(tasks)
  return db
}

function task(id: string, data = {}): Task {
  return { taskId: taskId(id), data }
}

function sentence(pattern: RegExp): (error: unknown) => true {
  return error => {
    assert.ok(error instanceof UserError, String(error))
    assert.match(error.message, pattern)
    assert.doesNotMatch(error.message, /\n/)
    return true
  }
}

/** As the Python system makes it: no version, no WAL, an index on each status. */
function pythonDb(file: string): DatabaseSync {
  const sqlite = new DatabaseSync(file)
  sqlite.exec(`
    CREATE TABLE tasks (task_id TEXT PRIMARY KEY, task_data TEXT, status TEXT, retry BOOLEAN, enqueued_at TIMESTAMP,
      started_at TIMESTAMP, completed_at TIMESTAMP, elapsed_time REAL, hostname TEXT, result TEXT, exception TEXT,
      exit_code INTEGER);
    CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TIMESTAMP, hostname TEXT, event_type TEXT,
      task_id TEXT, raw_event TEXT);
    CREATE INDEX idx_task_status ON tasks(status);
    CREATE INDEX idx_event_task_id ON events(task_id);
    INSERT INTO tasks (task_id, task_data, status) VALUES ('a', '{"x": 1}', 'completed'), ('b', '{}', 'pending'),
      ('c', '{}', 'in_queue_original');
    INSERT INTO events (event_type, task_id, raw_event) VALUES ('task_completed', 'a', '{}');`)
  return sqlite
}

describe('opening a job database', () => {
  it('creates only where nothing is, and opens only what is there', t => {
    const file = createDb(t).file
    assert.throws(() => openJobDb(file, { mode: 'create' }), sentence(/exists already/))
    assert.throws(() => openJobDb(newFile(), { mode: 'existing' }), sentence(/does not exist/))
    assert.throws(() => openJobDb(newFile(), { mode: 'readonly' }), sentence(/does not exist/))
    assert.throws(() => openJobDb(join(folder, 'none', 'x.db'), { mode: 'create' }), sentence(/folder does not exist/))
  })

  it('says what is wrong with a file that is no job database', async () => {
    const text = newFile()
    await writeFile(text, 'no database at all, but a text of some length '.repeat(50))
    assert.throws(() => openJobDb(text, { mode: 'existing' }), sentence(/is not a SQLite database/))
    const other = newFile()
    const sqlite = new DatabaseSync(other)
    sqlite.exec('CREATE TABLE birds (name)')
    assert.throws(() => openJobDb(other, { mode: 'existing' }), sentence(/no table "tasks"/))
    assert.deepEqual(sqlite.prepare('SELECT name FROM sqlite_schema').all().length, 1)
    sqlite.close()
  })

  it('refuses a newer schema and changes nothing', t => {
    const db = createDb(t, [task('a')])
    db.sqlite.exec('PRAGMA user_version = 99')
    for (const mode of ['existing', 'readonly'] as const) {
      assert.throws(() => openJobDb(db.file, { mode }), sentence(/newer version of Cloud Tasks \(schema 99/))
    }
    assert.equal(db.sqlite.prepare('SELECT count(*) AS n FROM tasks').get()?.n, 1)
  })

  it('names the file when another process holds it, when it is read-only, and when the disk is full', t => {
    const db = createDb(t, [task('a')])
    const other = openJobDb(db.file, { mode: 'existing', lockWaitMs: 20 })
    t.after(() => other.close())
    db.sqlite.exec('BEGIN IMMEDIATE')
    assert.throws(() => other.insertPending([task('b')]), sentence(/job-\d+\.db is locked by another process/))
    db.sqlite.exec('ROLLBACK')
    const readonly = openJobDb(db.file, { mode: 'readonly' })
    assert.equal(readonly.counts().pending, 1)
    assert.throws(() => readonly.insertPending([task('b')]), sentence(/job-\d+\.db is read-only/))
    readonly.close()
    db.sqlite.exec('PRAGMA max_page_count = 30')
    const many = Array.from({ length: 5000 }, (_, n) => task(`t${n}`, { text: 'x'.repeat(100) }))
    assert.throws(() => db.insertPending(many), sentence(/job-\d+\.db cannot grow: the disk is full/))
    assert.equal(db.counts().pending, 1)
    other.insertPending([task('b')])
    assert.equal(db.counts().pending, 2)
  })

  it('continues a database of the Python system, which can still write to it', t => {
    const file = newFile()
    const python = pythonDb(file)
    t.after(() => python.close())
    const readonly = openJobDb(file, { mode: 'readonly' })
    assert.equal(readonly.unfinishedCount(), 2)
    assert.equal(readonly.statistics().attemptCount, 1)
    assert.deepEqual(readonly.vms(), [])
    readonly.close()

    const db = openJobDb(file, { mode: 'existing' })
    t.after(() => db.close())
    assert.deepEqual([db.counts().completed, db.counts().pending, db.counts().in_queue_original], [1, 1, 1])
    assert.equal([...db.pendingBatches()][0]?.tasks[0]?.body, '{"task_id":"b","data":{}}')
    python.exec(`INSERT INTO tasks (task_id, task_data, status) VALUES ('d', '{}', 'pending')`)
    python.exec(`UPDATE tasks SET status = 'in_queue_original' WHERE task_id IN ('b', 'd')`)
    python.exec(`UPDATE tasks SET status = 'timed_out', retry = 0 WHERE task_id = 'c'`)
    python.exec(`INSERT INTO events (event_type, task_id, raw_event) VALUES ('task_timed_out', 'c', '{}')`)
    assert.deepEqual(
      [db.counts().completed, db.counts().pending, db.counts().in_queue_original, db.counts().timed_out],
      [1, 0, 2, 1],
    )
    assert.equal(db.statistics().attemptCount, 2)
  })

  it('deletes on discard only what the same handle created', t => {
    const kept = createDb(t)
    kept.close()
    openJobDb(kept.file, { mode: 'existing' }).discard()
    assert.ok(existsSync(kept.file))
    const db = openJobDb(newFile(), { mode: 'create' })
    db.discard()
    db.close()
    assert.ok(!existsSync(db.file) && !existsSync(`${db.file}-wal`))
  })
})

describe('tasks in the job database', () => {
  it('come out as the messages they are, in the order of the file', t => {
    const tasks: readonly Task[] = [
      task('z "quoted" ü😀', { text: 'line\nbreak', list: [1, null] }),
      { ...task('a'), priority: 'low', type: 'big "one"', notBeforeAt: new Date('2030-01-01T00:00:00Z') },
      { ...task('m'), type: 't' },
    ]
    const db = createDb(t, tasks)
    const [batch] = [...db.pendingBatches()]
    assert.deepEqual(
      batch?.tasks.map(({ body }) => JSON.parse(body)),
      tasks.map(each => JSON.parse(JSON.stringify(messageOfTask(each)))),
    )
    assert.equal(batch?.tasks[1]?.priority, 'low')
    assert.deepEqual(batch?.tasks[1]?.notBeforeAt, new Date('2030-01-01T00:00:00Z'))
  })

  it('are all in or none: a second task of the same name is refused with the places of both', t => {
    const db = createDb(t, [task('a'), task('b')])
    db.saveJob({ taskFile: 'tasks.json', skip: 10 })
    assert.throws(
      () => db.insertPending([task('c'), task('b')]),
      sentence(/^Task "b" is given twice in tasks\.json: as task number 12 and as number 14\./),
    )
    assert.equal(db.counts().pending, 2)
  })

  it('are marked as queued with the time, but keep the status of an event that was faster', t => {
    const db = createDb(t, [task('a'), task('b'), task('c')])
    const [batch] = [...db.pendingBatches()]
    assert.ok(batch)
    db.applyEvents(
      [
        '{"timestamp":"2026-01-01T00:00:00+00:00","hostname":"h","event_type":"task_completed","task_id":"b","retry":false,"elapsed_time":1,"result":null}',
      ],
      new Date(),
    )
    db.markQueued(batch, new Date('2026-01-01T00:00:00Z'))
    const rows = db.sqlite.prepare('SELECT status, enqueued_at, started_at FROM tasks ORDER BY task_id').all()
    const at = '2026-01-01T00:00:00+00:00'
    assert.deepEqual(
      rows.map(row => [row.status, row.enqueued_at, row.started_at]),
      ['in_queue_original', 'completed', 'in_queue_original'].map(status => [status, at, at]),
    )
    assert.deepEqual([db.counts().pending, db.counts().in_queue_original, db.counts().completed], [0, 2, 1])
  })
})

describe('VMs in the job database', () => {
  const vm: Vm = {
    id: vmId('vm-1'),
    jobId: 'j',
    state: 'running',
    instanceType: 'local-2',
    zone: 'a',
    spot: true,
    vcpuCount: 2,
    priceUsdPerHour: 0.5,
    launchedAt: new Date('2026-01-01T00:00:00Z'),
  }

  it('come back as saved, with their last sign of life, which may be older than the listing', t => {
    const db = createDb(t)
    db.saveJob({ jobId: 'j' })
    const heard = new Date('2026-01-01T00:01:00Z')
    const { heardAt } = db.applyEvents(
      ['{"timestamp":"2026-01-01T00:00:59+00:00","hostname":"h","event_type":"keep_alive","instance_id":"vm-1"}'],
      heard,
    )
    assert.deepEqual([...heardAt], [['vm-1', heard]])
    assert.deepEqual(db.vms(), [])
    db.saveVms([vm], new Date())
    assert.deepEqual(db.vms(), [{ ...vm, lastHeardAt: heard, attemptCount: 0, completedCount: 0, busySeconds: 0 }])
    assert.equal(db.sqlite.prepare('SELECT count(*) AS n FROM events').get()?.n, 0)
  })

  it('end when a complete listing does not have them, at their last sign of life', t => {
    const db = createDb(t)
    const now = new Date('2026-01-01T02:00:00Z')
    db.saveVms([vm, { ...vm, id: vmId('vm-2') }], now)
    db.applyEvents(
      ['{"timestamp":"2026-01-01T00:00:59+00:00","hostname":"h","event_type":"keep_alive","instance_id":"vm-1"}'],
      new Date('2026-01-01T00:30:00Z'),
    )
    db.saveVms([{ ...vm, id: vmId('vm-2') }], now, { complete: true })
    const [gone, alive] = db.vms()
    assert.deepEqual(
      [gone?.state, gone?.endedAt, gone?.endReason],
      ['terminated', new Date('2026-01-01T00:30:00Z'), 'not listed any more'],
    )
    assert.equal(alive?.state, 'running')
  })

  it('end when they were first listed as ended, if the cloud never says when', t => {
    const db = createDb(t)
    const seen = new Date('2026-01-01T01:00:00Z')
    const ended: Vm = { ...vm, state: 'terminated', endReason: 'preempted' }
    db.saveVms([vm], new Date('2026-01-01T00:30:00Z'))
    db.saveVms([ended], seen)
    db.saveVms([ended], new Date('2026-01-01T01:30:00Z'))
    assert.deepEqual(db.vms()[0]?.endedAt, seen)
    const told = new Date('2026-01-01T00:59:00Z')
    db.saveVms([{ ...ended, endedAt: told }], new Date('2026-01-01T01:31:00Z'))
    assert.deepEqual(db.vms()[0]?.endedAt, told)
  })
})
