import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, beforeEach, describe, it } from 'node:test'
import { taskId } from '../../core/ids.ts'
import { openProvider } from '../../infra/open-provider.ts'
import type { Provider, Queue } from '../../infra/provider.ts'
import { type JobDb, openJobDb } from '../../manager/job-db.ts'
import { requeueFailed } from '../../manager/requeue.ts'
import { JobFolder } from '../support/job-folder.ts'

describe('requeueing', () => {
  let folder: string
  let provider: Provider
  let tasks: Queue
  let dead: Queue
  let db: JobDb

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-requeue-'))
    provider = await openProvider('local', { env: {}, local: { root: folder } })
    tasks = provider.openQueue('job', { leaseSeconds: 60 })
    dead = provider.openQueue('job-dead', { leaseSeconds: 60 })
    await tasks.admin.ensure()
    await dead.admin.ensure()
    db = openJobDb(join(folder, 'job.db'), { mode: 'create' })
    db.insertPending(['a', 'b', 'c', 'd'].map(id => ({ taskId: taskId(id), data: { of: id } })))
    for (const batch of db.pendingBatches()) db.markQueued(batch, new Date())
    db.applyEvents(
      [
        event('a', { attempt: 3, exception: 'boom', dead_letter: '3 failures' }),
        event('b', { attempt: 2, exception: 'boom', dead_letter: '2 failures' }),
        event('c', { attempt: 1, exception: 'boom' }),
        event('d', { attempt: 1, result: 1 }),
      ],
      new Date(),
    )
  })

  afterEach(async () => {
    db.close()
    await provider.close()
    rmSync(folder, { recursive: true })
  })

  it('sends dead letters with new budgets and exact data, and resets their rows', async () => {
    await dead.send([
      {
        body: '{"task_id":"a","data":{"of":"a","long":12345678901234567890},"attempt":3,"failures":3,"checkpoint":{"at":7}}',
        priority: 'high',
      },
    ])
    const report = await requeueFailed({ db, tasks, dead, statuses: ['failed'] })
    assert.deepEqual(report, { letterCount: 1, rowCount: 1, unreadableCount: 0 })
    const bodies = await receive(tasks)
    assert.deepEqual(bodies, [
      '{"task_id":"a","data":{"of":"a","long":12345678901234567890},"attempt":4,"checkpoint":{"at":7}}',
      '{"task_id":"b","data":{"of":"b"},"attempt":3}', // its letter was lost, its row is not
    ])
    const { failed, in_queue_original: queued, exception, completed } = db.counts()
    assert.deepEqual({ failed, queued, exception, completed }, { failed: 0, queued: 2, exception: 1, completed: 1 })
    assert.deepEqual(await requeueFailed({ db, tasks, dead, statuses: ['failed'] }), {
      letterCount: 0,
      rowCount: 0,
      unreadableCount: 0,
    })
  })

  it('lets the outcome of the new attempt count', async () => {
    await requeueFailed({ db, tasks, dead, statuses: ['failed', 'exception'] })
    db.applyEvents([event('a', { attempt: 4, result: 7 }), event('c', { attempt: 2, result: 8 })], new Date())
    assert.deepEqual([db.counts().completed, db.counts().failed], [3, 0])
  })

  it('leaves what is no task where it is', async () => {
    await dead.send([{ body: 'hello' }, { body: '{"task_id":7,"data":{}}' }])
    const report = await requeueFailed({ db, tasks, dead, statuses: ['failed'] })
    assert.deepEqual(report, { letterCount: 0, rowCount: 2, unreadableCount: 2 })
    assert.equal((await dead.admin.depth())?.leased, 2)
  })
})

describe('cloud-tasks requeue', () => {
  const folder = new JobFolder({
    jobId: 'again',
    taskCount: 6,
    run: ['retry_on_exception: true', 'max_attempts: 2'],
    taskModule: `import { existsSync } from 'node:fs'
export default async (taskId, { a }) => {
  if (a % 2 === 1 && !existsSync('mended')) throw new Error('not mended')
  return [false, a]
}
`,
  })
  after(() => folder.remove())

  it('makes a job that failed whole again, once its cause is mended', { timeout: 120_000 }, async () => {
    const failed = await folder.run('run', '--config', 'job.yml', '--task-file', 'tasks.json')
    assert.equal(failed.exitCode, 1, failed.stderr)
    assert.equal(folder.count(`status = 'failed'`), 3)
    folder.write('mended', '')
    const requeued = await folder.run('requeue', '--config', 'job.yml')
    assert.match(requeued.stdout, /^3 tasks are in queue 'again' again\.$/m)
    assert.equal(folder.count(`status = 'in_queue_original'`), 3)
    const done = await folder.run('run', '--config', 'job.yml', '--continue')
    assert.equal(done.exitCode, 0, done.stderr)
    assert.equal(folder.count(`status = 'completed'`), 6)
    assert.match((await folder.run('requeue', '--config', 'job.yml')).stdout, /^No task of 'again' is to be requeued/)
  })
})

function event(id: string, fields: object): string {
  const type = 'exception' in fields ? 'task_exception' : 'task_completed'
  return JSON.stringify({
    timestamp: '2026-01-01T00:00:00.000000+00:00',
    hostname: 'h',
    event_type: type,
    task_id: id,
    retry: false,
    elapsed_time: 1,
    ...fields,
  })
}

async function receive(queue: Queue): Promise<string[]> {
  const deliveries = await queue.receive({ maxMessages: 10, waitSeconds: 0 })
  return deliveries.map(({ body }) => body)
}
