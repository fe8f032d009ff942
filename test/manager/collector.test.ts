import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { taskId } from '../../core/ids.ts'
import { openProvider } from '../../infra/open-provider.ts'
import type { Queue } from '../../infra/provider.ts'
import { collectEvents } from '../../manager/collector.ts'
import { type JobDb, openJobDb } from '../../manager/job-db.ts'

const folder = await mkdtemp(join(tmpdir(), 'collector-'))
const root = join(folder, 'root')
const provider = await openProvider('local', { local: { root }, env: {} })
after(async () => {
  await provider.close()
  await rm(folder, { recursive: true })
})

let jobCount = 0
function newJob(taskCount: number) {
  const db = openJobDb(join(folder, `job${++jobCount}.db`), { mode: 'create' })
  db.insertPending(Array.from({ length: taskCount }, (_, n) => ({ taskId: taskId(`t${n}`), data: {} })))
  for (const batch of db.pendingBatches()) db.markQueued(batch, new Date('2026-01-01T00:00:00Z'))
  return { db, queue: provider.openQueue(`job${jobCount}-events`, { leaseSeconds: 60 }) }
}

function completed(n: number): string {
  return JSON.stringify({
    timestamp: '2026-01-01T00:00:10.500000+00:00',
    hostname: 'h',
    event_type: 'task_completed',
    task_id: `t${n}`,
    retry: false,
    elapsed_time: 0.5,
    result: n,
    event_id: `e${n}`,
  })
}

async function send(queue: Queue, bodies: readonly string[]): Promise<void> {
  await queue.send(bodies.map(body => ({ body })))
}

const signal = AbortSignal.timeout(60_000)

describe('collecting events', { timeout: 60_000 }, () => {
  it('ends when every task is finished and the queue is empty, with everything stored, acked and written', async t => {
    const { db, queue } = newJob(3000)
    t.after(() => db.close())
    const all = Array.from({ length: 3000 }, (_, n) => completed(n))
    await send(queue, [...all, completed(7)])
    const outputFile = join(folder, 'out.jsonl')
    const printed: string[] = []
    const report = await collectEvents({
      queue,
      db,
      signal,
      untilFinished: true,
      outputFile,
      printEvent: json => printed.push(json),
    })
    assert.deepEqual(report, { storedCount: 3000, duplicateCount: 1, malformedCount: 0 })
    assert.equal(db.counts().completed, 3000)
    assert.deepEqual(await queue.admin.depth(), { ready: 0, leased: 0, delayed: 0, estimated: false })
    assert.equal(await readFile(outputFile, 'utf8'), `${all.join('\n')}\n`)
    assert.deepEqual(printed, all)
  })

  it('fills a new output file with what was stored before, and appends to one that is there', async t => {
    const { db, queue } = newJob(2)
    t.after(() => db.close())
    db.applyEvents([completed(0)], new Date())
    await send(queue, [completed(1)])
    const fresh = join(folder, 'fresh.jsonl')
    await collectEvents({ queue, db, signal, untilFinished: true, outputFile: fresh })
    assert.equal(await readFile(fresh, 'utf8'), `${completed(0)}\n${completed(1)}\n`)
    const there = join(folder, 'there.jsonl')
    await writeFile(there, 'mine\n')
    await collectEvents({ queue, db, signal, untilFinished: true, outputFile: there })
    assert.equal(await readFile(there, 'utf8'), 'mine\n')
  })

  it('goes on without the output file when it cannot be written', async t => {
    const { db, queue } = newJob(1)
    t.after(() => db.close())
    await send(queue, [completed(0)])
    const warnings: string[] = []
    await collectEvents({
      queue,
      db,
      signal,
      untilFinished: true,
      outputFile: '/dev/full',
      warn: text => warnings.push(text),
    })
    assert.equal(db.counts().completed, 1)
    assert.match(
      warnings.join('\n'),
      /^Event file \/dev\/full cannot be written \(ENOSPC.*\)\. Events go to the job database only\.$/,
    )
  })

  it('keeps rubbish and strangers, warns, and acks them', async t => {
    const { db, queue } = newJob(1)
    t.after(() => db.close())
    await send(queue, ['rubbish', '{"event_type":"from_the_future","task_id":"t0"}', completed(99), completed(0)])
    const warnings: string[] = []
    const report = await collectEvents({ queue, db, signal, untilFinished: true, warn: text => warnings.push(text) })
    assert.deepEqual(report, { storedCount: 2, duplicateCount: 0, malformedCount: 2 })
    assert.equal(warnings.length, 3)
    assert.equal((await queue.admin.depth())?.leased, 0)
    assert.equal(db.sqlite.prepare('SELECT count(*) AS n FROM events').get()?.n, 4)
  })

  it('tries again when the queue fails, and takes no harm from a failed ack', async t => {
    const { db, queue } = newJob(1)
    t.after(() => db.close())
    await send(queue, [completed(0)])
    const failures = ['receive', 'ack']
    const flaky: Queue = {
      name: 'flaky',
      admin: queue.admin,
      send: messages => queue.send(messages),
      renew: receipts => queue.renew(receipts),
      release: (receipts, delaySeconds) => queue.release(receipts, delaySeconds),
      receive: async options => {
        if (failures[0] === 'receive') throw new Error(`no ${failures.shift()}`)
        return queue.receive(options)
      },
      ack: async receipts => {
        if (failures[0] === 'ack') throw new Error(`no ${failures.shift()}`)
        return queue.ack(receipts)
      },
    }
    const warnings: string[] = []
    await collectEvents({ queue: flaky, db, signal, untilFinished: true, warn: text => warnings.push(text) })
    assert.deepEqual(
      warnings.map(text => /\(no (\w+)\)/.exec(text)?.[1]),
      ['receive', 'ack'],
    )
    assert.equal(db.counts().completed, 1)
  })

  it('stops at once when it is told to', async t => {
    const { db, queue } = newJob(1)
    t.after(() => db.close())
    const stop = new AbortController()
    const collecting = collectEvents({ queue, db, signal: stop.signal })
    stop.abort()
    assert.deepEqual(await collecting, { storedCount: 0, duplicateCount: 0, malformedCount: 0 })
  })
})

describe('a collector that is killed', { timeout: 60_000 }, () => {
  it('is followed by another that ends with each task completed once and no line missing', async t => {
    const TASK_COUNT = 40_000
    const { db } = newJob(TASK_COUNT)
    const { file } = db
    db.close()
    const queue = provider.openQueue('q-events', { leaseSeconds: 60 })
    await send(
      queue,
      Array.from({ length: TASK_COUNT }, (_, n) => completed(n)),
    )
    const outputFile = join(folder, 'killed.jsonl')
    const program = fileURLToPath(new URL('../fixtures/collects-events.ts', import.meta.url))
    const start = (): ChildProcess => {
      const child = spawn(process.execPath, [program, root, file, outputFile], { stdio: ['ignore', 'pipe', 'inherit'] })
      t.after(() => child.kill('SIGKILL'))
      return child
    }
    for (const batchCount of [1, 3, 2]) {
      const child = start()
      await heard(child, 'batch', batchCount)
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    await heard(start(), 'finished', 1)
    const after: JobDb = openJobDb(file, { mode: 'existing' })
    t.after(() => after.close())
    assert.equal(after.counts().completed, TASK_COUNT)
    assert.equal([...after.rawEvents()].length, TASK_COUNT)
    const wrong = after.sqlite.prepare(`SELECT count(*) AS n FROM tasks WHERE 't' || result <> task_id`).get()
    assert.equal(wrong?.n, 0)
    const lines = (await readFile(outputFile, 'utf8')).trimEnd().split('\n')
    assert.equal(new Set(lines.map(line => JSON.parse(line).event_id)).size, TASK_COUNT)
  })
})

async function heard(child: ChildProcess, word: string, times: number): Promise<void> {
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += chunk
    if (text.split(word).length > times) return
  }
  assert.fail(`the program ended before it said "${word}" ${times} times: ${text}`)
}
