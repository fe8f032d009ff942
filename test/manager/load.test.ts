import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { UserError } from '../../core/errors.ts'
import { openProvider } from '../../infra/open-provider.ts'
import { type Queue, SendError } from '../../infra/provider.ts'
import { readTaskFile } from '../../infra/task-file/read-task-file.ts'
import { openJobDb } from '../../manager/job-db.ts'
import { buildJobDb, insertTasks, loadTasks, resumeLoading, sendPending } from '../../manager/load-tasks.ts'

const folder = await mkdtemp(join(tmpdir(), 'load-'))
const provider = await openProvider('local', { local: { root: join(folder, 'root') }, env: {} })
after(async () => {
  await provider.close()
  await rm(folder, { recursive: true })
})
const { maxBodyBytes } = provider.limits

let jobCount = 0
function newJob() {
  const name = `job${++jobCount}`
  return { file: join(folder, `${name}.db`), queue: provider.openQueue(name, { leaseSeconds: 60 }) }
}

async function taskFile(name: string, items: readonly unknown[]): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, JSON.stringify(items))
  return path
}

function numbered(count: number) {
  return Array.from({ length: count }, (_, n) => ({ task_id: `t${n}`, data: { n } }))
}

/** Receives all and acks. */
async function drain(queue: Queue): Promise<readonly string[]> {
  const bodies: string[] = []
  for (;;) {
    const deliveries = await queue.receive({ maxMessages: 10_000, waitSeconds: 0 })
    if (deliveries.length === 0) return bodies
    bodies.push(...deliveries.map(delivery => delivery.body))
    await queue.ack(deliveries.map(delivery => delivery.receipt))
  }
}

/** The queue, failing once in the middle of a send. */
function failingOnce(queue: Queue): Queue {
  let failed = false
  return {
    name: queue.name,
    admin: queue.admin,
    receive: options => queue.receive(options),
    renew: receipts => queue.renew(receipts),
    ack: receipts => queue.ack(receipts),
    release: (receipts, delaySeconds) => queue.release(receipts, delaySeconds),
    async send(messages) {
      if (failed) return queue.send(messages)
      failed = true
      await queue.send(messages.slice(0, 10))
      throw new SendError('the network is down', { unsent: messages.map((_, index) => index).slice(10) })
    },
  }
}

describe('loading tasks', () => {
  it('brings every task into the DB and the queue, once and in order', async t => {
    const { file, queue } = newJob()
    const path = await taskFile('good.json', numbered(5000))
    const db = openJobDb(file, { mode: 'create' })
    t.after(() => db.close())
    const seen: number[] = []
    const report = await loadTasks({
      batches: readTaskFile(path),
      db,
      queue,
      maxBodyBytes,
      onProgress: ({ insertedCount, sentCount }) => seen.push(insertedCount + sentCount),
    })
    assert.deepEqual(report, { loadedCount: 5000, sentCount: 5000 })
    assert.equal(seen.at(-1), 10_000)
    assert.equal(db.counts().in_queue_original, 5000)
    assert.equal(db.job().loadState, 'loaded')
    const bodies = await drain(queue)
    assert.deepEqual(
      bodies.map(body => JSON.parse(body)),
      numbered(5000),
    )
  })

  it('delivers by priority and not before the time, as far as the provider can', async t => {
    const { file, queue } = newJob()
    const path = await taskFile('prio.json', [
      { task_id: 'low', data: {}, priority: 'low' },
      { task_id: 'later', data: {}, not_before: new Date(Date.now() + 3_600_000).toISOString() },
      { task_id: 'high', data: {}, priority: 'high' },
    ])
    const db = openJobDb(file, { mode: 'create' })
    t.after(() => db.close())
    await loadTasks({ batches: readTaskFile(path), db, queue, maxBodyBytes })
    assert.deepEqual(
      (await drain(queue)).map(body => JSON.parse(body).task_id),
      ['high', 'low'],
    )
    assert.equal((await queue.admin.depth())?.delayed, 1)
  })

  const big = { task_id: 'big', data: { text: 'x'.repeat(maxBodyBytes) } }
  for (const [what, content, complaint] of [
    [
      'a duplicate task_id',
      JSON.stringify([...numbered(3000), { task_id: 't5', data: {} }]),
      /^Task "t5" is given twice.*number 6 and as number 3001/,
    ],
    [
      'data over the body limit',
      JSON.stringify([...numbered(3000), big]),
      /^Task "big" is \d+ bytes as a message; the queue takes 1048576/,
    ],
    ['a truncated file', JSON.stringify(numbered(9000)).slice(0, -1), /line 1: the file is truncated/],
    [
      'a wrong task',
      JSON.stringify([...numbered(3000), { task_id: 'x' }]),
      /^Task "x" \(.* line 1\): "data" must be an object/,
    ],
  ] as const) {
    it(`finds ${what} before anything is sent, and leaves no DB, or the old one as it was`, async t => {
      const { file, queue } = newJob()
      const path = join(folder, 'bad.json')
      await writeFile(path, content)
      const isComplaint = (error: unknown) => error instanceof UserError && complaint.test(error.message)

      const db = openJobDb(file, { mode: 'create' })
      await assert.rejects(loadTasks({ batches: readTaskFile(path), db, queue, maxBodyBytes }), isComplaint)
      assert.ok(!existsSync(file))

      const old = openJobDb(file, { mode: 'create' })
      t.after(() => old.close())
      await insertTasks({ batches: readTaskFile(await taskFile('old.json', numbered(3))), db: old, maxBodyBytes })
      await assert.rejects(buildJobDb({ file, job: {}, batches: readTaskFile(path), maxBodyBytes }), isComplaint)
      assert.equal(old.counts().pending, 3)
      const left = (await readdir(folder)).filter(name => name.endsWith('.loading'))
      assert.deepEqual(left, [])
      assert.equal(await queue.admin.depth(), undefined)
    })
  }

  it('gives way to a whole new DB only, and leaves nothing of the old one', async () => {
    const { file } = newJob()
    for (const count of [40, 7]) {
      const batches = readTaskFile(await taskFile('replace.json', numbered(count)))
      const db = await buildJobDb({ file, job: { jobId: `of-${count}` }, batches, maxBodyBytes })
      assert.equal(db.counts().pending, count)
      assert.equal(db.job().jobId, `of-${count}`)
      db.close()
    }
  })

  it('does not give way when what the new job needs is refused', async () => {
    const { file } = newJob()
    const build = async (count: number, beforeSwap?: () => Promise<void>) => {
      const batches = readTaskFile(await taskFile('refused.json', numbered(count)))
      return buildJobDb({ file, job: {}, batches, maxBodyBytes, ...(beforeSwap && { beforeSwap }) })
    }
    const first = await build(3)
    first.close()
    const refused = build(5, async () => {
      throw new Error('denied')
    })
    await assert.rejects(refused, /denied/)
    const kept = openJobDb(file, { mode: 'existing' })
    assert.equal(kept.counts().pending, 3)
    kept.close()
  })

  it('keeps as pending what a queue did not accept, says so, and sends just that when it goes on', async t => {
    const { file, queue } = newJob()
    const db = openJobDb(file, { mode: 'create' })
    t.after(() => db.close())
    const batches = readTaskFile(await taskFile('part.json', numbered(500)))
    await assert.rejects(
      loadTasks({ batches, db, queue: failingOnce(queue), maxBodyBytes }),
      /490 tasks were not accepted by queue .* \(the network is down\)\. They are still pending: continue the load\.$/,
    )
    assert.deepEqual([db.counts().in_queue_original, db.counts().pending], [10, 490])
    assert.deepEqual(await resumeLoading({ db, queue }), { loadedCount: 500, sentCount: 490 })
    assert.equal(new Set(await drain(queue)).size, 500)
  })

  it('goes on within the file when it was stopped there, and asks for the file if it is not given', async t => {
    const { file, queue } = newJob()
    const path = await taskFile('long.json', numbered(9000))
    const db = openJobDb(file, { mode: 'create' })
    t.after(() => db.close())
    const stop = new AbortController()
    await assert.rejects(
      insertTasks({
        batches: readTaskFile(path),
        db,
        maxBodyBytes,
        signal: stop.signal,
        onProgress: () => stop.abort(),
      }),
      { name: 'AbortError' },
    )
    assert.ok(db.counts().pending < 9000)
    await assert.rejects(
      resumeLoading({ db, queue }),
      /holds only the first \d+ tasks of its file.*Give the task file again/,
    )
    await resumeLoading({ db, queue, batches: readTaskFile(path), maxBodyBytes })
    assert.equal((await drain(queue)).length, 9000)
  })
})

describe('a load that is killed', { timeout: 60_000 }, () => {
  const program = fileURLToPath(new URL('../fixtures/loads-tasks.ts', import.meta.url))
  const TASK_COUNT = 60_000

  for (const delayMs of [0, 60, 130, 250]) {
    it(`${delayMs} ms after its DB was built loses no task when it is resumed`, async t => {
      const root = join(folder, `killed-${delayMs}`)
      const file = join(folder, `killed-${delayMs}.db`)
      const path = await taskFile('killed.json', numbered(TASK_COUNT))
      const first = spawn(process.execPath, [program, root, file, path, 'build'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      t.after(() => first.kill('SIGKILL'))
      await heard(first, 'built')
      await new Promise(resolve => setTimeout(resolve, delayMs)) // somewhere within the sending
      first.kill('SIGKILL')
      if (first.exitCode === null && first.signalCode === null) await once(first, 'exit')

      const second = spawn(process.execPath, [program, root, file, path, 'resume'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      t.after(() => second.kill('SIGKILL'))
      await heard(second, 'loaded')
      if (second.exitCode === null) await once(second, 'exit')

      const db = openJobDb(file, { mode: 'readonly' })
      assert.deepEqual([db.counts().in_queue_original, db.counts().pending], [TASK_COUNT, 0])
      db.close()
      const own = await openProvider('local', { local: { root }, env: {} })
      const bodies = await drain(own.openQueue('q', { leaseSeconds: 60 }))
      await own.close()
      assert.equal(new Set(bodies).size, TASK_COUNT)
      assert.ok(bodies.length <= TASK_COUNT + 2000, `${bodies.length} messages`) // one batch may be there twice
    })
  }

  it('before its DB is whole leaves the old DB as it was', async t => {
    const root = join(folder, 'killed-early')
    const file = join(folder, 'killed-early.db')
    const old = openJobDb(file, { mode: 'create' })
    old.saveJob({ jobId: 'old' })
    old.close()
    const path = await taskFile('killed.json', numbered(TASK_COUNT))
    const child = spawn(process.execPath, [program, root, file, path, 'build'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => child.kill('SIGKILL'))
    const deadline = Date.now() + 20_000
    while (!existsSync(`${file}.loading`) && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 1))
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    const db = openJobDb(file, { mode: 'existing' })
    assert.equal(db.job().jobId, 'old')
    db.close()
    const rebuilt = await buildJobDb({ file, job: {}, batches: readTaskFile(path), maxBodyBytes })
    t.after(() => rebuilt.close())
    assert.equal(rebuilt.counts().pending, TASK_COUNT)
    const queue = provider.openQueue('early', { leaseSeconds: 60 })
    assert.equal((await sendPending({ db: rebuilt, queue })).sentCount, TASK_COUNT)
  })
})

async function heard(child: ChildProcess, word: string): Promise<void> {
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += chunk
    if (text.includes(word)) return
  }
  assert.fail(`the program ended before it said "${word}": ${text}`)
}
