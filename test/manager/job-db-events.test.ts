import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { taskId } from '../../core/ids.ts'
import { type JobDb, openJobDb } from '../../manager/job-db.ts'

const folder = await mkdtemp(join(tmpdir(), 'job-db-events-'))
after(() => rm(folder, { recursive: true }))

let dbCount = 0
/** A DB whose tasks are all in the queue. */
function queuedDb(ids: readonly string[]): JobDb {
  const db = openJobDb(join(folder, `${++dbCount}.db`), { mode: 'create' })
  db.insertPending(ids.map(id => ({ taskId: taskId(id), data: {} })))
  for (const batch of db.pendingBatches()) db.markQueued(batch, new Date('2026-01-01T00:00:00Z'))
  return db
}

interface EventFields {
  readonly [key: string]: unknown
}

let eventCount = 0
function event(type: string, id: string, fields: EventFields = {}): string {
  return JSON.stringify({
    timestamp: '2026-01-01T00:00:10.500000+00:00',
    hostname: 'h',
    event_type: type,
    task_id: id,
    retry: false,
    elapsed_time: 1.5,
    attempt: 1,
    event_id: `e${++eventCount}`,
    ...fields,
  })
}

function rowOf(db: JobDb, id = 'a') {
  const row = db.sqlite.prepare('SELECT * FROM tasks WHERE task_id = ?').get(id)
  assert.ok(row)
  return { ...row }
}

function dump(db: JobDb): string {
  const tasks = db.sqlite.prepare('SELECT * FROM tasks ORDER BY task_id').all()
  const events = db.sqlite
    .prepare('SELECT timestamp, hostname, event_type, task_id, raw_event, attempt FROM events')
    .all()
  return JSON.stringify({ tasks, events: events.map(row => JSON.stringify(row)).sort(), counts: db.counts() })
}

describe('an event in the job database', () => {
  for (const [what, raw, expected] of [
    [
      'a result',
      event('task_completed', 'a', { result: 'text' }),
      {
        status: 'completed',
        retry: 0,
        result: '"text"',
        exception: null,
        exit_code: null,
        elapsed_time: 1.5,
        hostname: 'h',
        completed_at: '2026-01-01T00:00:10.500000+00:00',
      },
    ],
    [
      'a result that wants another attempt',
      event('task_completed', 'a', { retry: true, result: 1 }),
      { status: 'completed_with_retry', retry: 1, result: '1' },
    ],
    [
      'an exception',
      event('task_exception', 'a', { exception: 'Traceback', retry: null }),
      { status: 'exception', retry: null, exception: 'Traceback', result: null },
    ],
    [
      'an exception to be retried',
      event('task_exception', 'a', { exception: 'T', retry: true }),
      { status: 'exception_with_retry', retry: 1 },
    ],
    ['a time-out', event('task_timed_out', 'a'), { status: 'timed_out', exception: null, exit_code: null }],
    ['a time-out to be retried', event('task_timed_out', 'a', { retry: true }), { status: 'timed_out_with_retry' }],
    ['an exit', event('task_exited', 'a', { exit_code: -9 }), { status: 'exited_without_status', exit_code: -9 }],
    [
      'an exit to be retried',
      event('task_exited', 'a', { exit_code: null, retry: true }),
      { status: 'exited_without_status_with_retry', exit_code: null },
    ],
    [
      'a dead letter',
      event('task_exception', 'a', { exception: 'T', retry: false, dead_letter: '10 failed attempts' }),
      { status: 'failed', dead_letter: '10 failed attempts', exception: 'T' },
    ],
    [
      'a preemption',
      event('task_interrupted', 'a', { reason: 'preempted', retry: true }),
      { status: 'in_queue_original', retry: null, completed_at: null, hostname: null, attempt: 1 },
    ],
  ] as const) {
    it(`shows ${what} in the task's row`, t => {
      const db = queuedDb(['a'])
      t.after(() => db.close())
      db.applyEvents([raw], new Date())
      const row: Record<string, unknown> = rowOf(db)
      for (const [column, value] of Object.entries(expected)) assert.equal(row[column], value, column)
      assert.equal(db.counts()[expected.status], 1)
      assert.equal(db.unfinishedCount(), /retry|queue/.test(expected.status) ? 1 : 0)
    })
  }

  it('is stored once, by its id or, from Python, by its text, and so is a text encoded twice', t => {
    const db = queuedDb(['a'])
    t.after(() => db.close())
    const python = event('task_completed', 'a', { event_id: undefined, attempt: undefined, result: 1 })
    const spot = JSON.stringify({ timestamp: '2026-01-01T00:00:00Z', hostname: 'h', event_type: 'spot_termination' })
    const fatal = JSON.stringify({
      timestamp: '2026-01-01T00:00:00Z',
      hostname: 'h',
      event_type: 'fatal_exception',
      exception: 'E',
      event_id: 'f',
    })
    const raws = [python, JSON.stringify(python), spot, fatal, python, spot, fatal, 'rubbish', 'rubbish']
    const first = db.applyEvents(raws, new Date())
    const second = db.applyEvents(raws, new Date())
    assert.deepEqual(first.stored, [python, spot, fatal])
    assert.deepEqual(first.malformed, ['rubbish'])
    assert.deepEqual([first.duplicateCount, second.duplicateCount, second.stored.length], [5, 9, 0])
    assert.equal(db.sqlite.prepare('SELECT count(*) AS n FROM events').get()?.n, 4)
    assert.deepEqual([...db.rawEvents()], [python, spot, fatal])
    assert.deepEqual(db.statistics().spotTerminatedHosts, ['h'])
  })

  it('of a task that is not in the job is kept and told', t => {
    const db = queuedDb(['a'])
    t.after(() => db.close())
    const raw = event('task_completed', 'stranger', { result: 1 })
    assert.deepEqual(db.applyEvents([raw, raw], new Date()).unknownTaskIds, ['stranger'])
    assert.deepEqual([...db.rawEvents()], [raw])
    assert.equal(db.counts().completed, 0)
  })

  it('keeps every digit of a big number, and survives a result nested beyond reason', t => {
    const db = queuedDb(['a', 'b'])
    t.after(() => db.close())
    const big = event('task_completed', 'a', { result: 0 }).replace('"result":0', '"result":{"n":12345678901234567890}')
    const deep = event('task_completed', 'b', { result: 0 }).replace(
      '"result":0',
      `"result":${'['.repeat(50_000)}${']'.repeat(50_000)}`,
    )
    const { malformed } = db.applyEvents([big, deep], new Date())
    assert.equal(rowOf(db).result, '{"n":12345678901234567890}')
    assert.equal(malformed.length, 1)
    assert.equal(db.counts().in_queue_original, 1)
  })

  it('never takes a result away again, whatever comes later', t => {
    const db = queuedDb(['a'])
    t.after(() => db.close())
    db.applyEvents([event('task_completed', 'a', { result: 7 })], new Date())
    const late = { attempt: 9, timestamp: '2027-01-01T00:00:00+00:00' }
    db.applyEvents(
      [
        event('task_timed_out', 'a', late),
        event('task_exception', 'a', { ...late, exception: 'E', retry: true }),
        event('task_exited', 'a', { ...late, dead_letter: 'out of budget' }),
        event('task_interrupted', 'a', late),
      ],
      new Date(),
    )
    const { status, result, attempt } = rowOf(db)
    assert.deepEqual({ status, result, attempt }, { status: 'completed', result: '7', attempt: 1 })
  })

  it('counts for the VM that it came from, once', t => {
    const db = queuedDb(['a', 'b'])
    t.after(() => db.close())
    const raws = [
      event('task_completed', 'a', { result: 1, instance_id: 'vm-1', elapsed_time: 2 }),
      event('task_exception', 'b', { exception: 'E', retry: true, instance_id: 'vm-1', elapsed_time: 3 }),
    ]
    db.applyEvents(raws, new Date())
    db.applyEvents(raws, new Date())
    const row = db.sqlite.prepare('SELECT attempts, completed, busy_seconds FROM instances').get()
    assert.deepEqual({ ...row }, { attempts: 2, completed: 1, busy_seconds: 5 })
    assert.deepEqual([db.statistics().attemptCount, db.statistics().retriedCount], [2, 1])
  })
})

describe('events in any order, any number of times, in any batches', () => {
  const SEED = 20260101
  const ids = ['a', 'b', 'c', 'd']

  it(`leave the same tasks, events and counts (seed ${SEED})`, { timeout: 60_000 }, () => {
    const random = randomNumbers(SEED)
    const pick = <T>(items: readonly [T, ...T[]]): T => items[Math.floor(random() * items.length)] ?? items[0]
    const randomEvent = () =>
      event(
        pick([
          'task_completed',
          'task_completed',
          'task_exception',
          'task_timed_out',
          'task_exited',
          'task_interrupted',
        ]),
        pick([...ids, 'unknown'] as unknown as readonly [string, ...string[]]),
        {
          attempt: pick([1, 1, 2, 3, undefined]),
          retry: pick([true, false, null]),
          timestamp: pick(['2026-01-01T00:00:10+00:00', '2026-01-01T00:00:10Z', '2026-01-01T00:00:10.000001+00:00']),
          hostname: pick(['h1', 'h2']),
          result: pick([1, 2]),
          exception: pick(['E', 'F']),
          exit_code: pick([1, null]),
          ...(random() < 0.2 ? { event_id: undefined } : undefined),
          ...(random() < 0.2 ? { dead_letter: 'out of budget' } : undefined),
        },
      )
    for (let round = 0; round < 25; round++) {
      const events = Array.from({ length: 2 + Math.floor(random() * 12) }, randomEvent)
      const dumps = Array.from({ length: 4 }, (_, variant) => {
        const db = queuedDb(ids)
        const deliveries =
          variant === 0 ? [...events] : shuffle([...events, ...events.filter(() => random() < 0.5)], random)
        while (deliveries.length > 0) db.applyEvents(deliveries.splice(0, 1 + Math.floor(random() * 5)), new Date())
        const text = dump(db)
        db.discard()
        return text
      })
      for (const other of dumps) assert.equal(other, dumps[0], `round ${round}: ${events.join('\n')}`)
    }
  })
})

/** Mulberry32: the same numbers from the same seed. */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}

function shuffle<T>(items: T[], random: () => number): T[] {
  return items
    .map(item => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item)
}
