// The local queue passes the suite of all queues, and keeps what a file on a shared disk has to promise besides.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, statSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../../core/clock.ts'
import { UserError } from '../../../core/errors.ts'
import { openProvider } from '../../../infra/local/index.ts'
import { LocalQueue, queueFilePath } from '../../../infra/local/queue.ts'
import { QUEUE_FORMAT } from '../../../infra/local/queue-schema.ts'
import { SqliteFile } from '../../../infra/local/sqlite-file.ts'
import type { Provider, Queue } from '../../../infra/provider.ts'
import { queueConformance } from '../../conformance/queue-suite.ts'

queueConformance('local', async () => {
  const root = await mkdtemp(join(tmpdir(), 'local-queue-'))
  const settings = { local: { root }, env: {} }
  const provider = openProvider(settings)
  let count = 0
  return {
    provider,
    settings,
    leaseSeconds: 2,
    slackSeconds: 1,
    can: { prioritise: true, countDeliveries: true, noticeEndedLease: true },
    queueName: () => `queue-${++count}`,
    close: async () => {
      await provider.close()
      await rm(root, { recursive: true, force: true })
    },
  }
})

describe('local queue file', { timeout: 60_000 }, () => {
  let root: string
  let provider: Provider
  let count = 0
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'local-queue-'))
    provider = openProvider({ local: { root }, env: {} })
  })
  after(async () => {
    await provider.close()
    await rm(root, { recursive: true, force: true })
  })
  const open = (): Queue => provider.openQueue(`queue-${++count}`, { leaseSeconds: 60 })
  const pathOf = (queue: Queue) => queueFilePath(root, queue.name)

  it('is first in, first out, and puts a released message back in its place', async () => {
    const queue = open()
    await queue.send(Array.from({ length: 250 }, (_, index) => ({ body: String(index) })))
    const [first] = await queue.receive({ maxMessages: 1, waitSeconds: 0 })
    assert.ok(first !== undefined)
    await queue.release([first.receipt], 0)
    const all = await queue.receive({ maxMessages: 250, waitSeconds: 0 })
    assert.deepEqual(
      all.map(({ body }) => Number(body)),
      Array.from({ length: 250 }, (_, index) => index),
    )
  })

  it('is made by the first send, not by looking at it', async () => {
    const queue = open()
    assert.deepEqual(await queue.receive({ maxMessages: 1, waitSeconds: 0 }), [])
    assert.equal(await queue.admin.depth(), undefined)
    await queue.send([{ body: 'x' }])
    assert.deepEqual(await queue.admin.depth(), { ready: 1, leased: 0, delayed: 0, estimated: false })
  })

  it('takes what is sent after a removal by somebody who had it open before', async () => {
    const queue = open()
    const other = openProvider({ local: { root }, env: {} })
    const sender = other.openQueue(queue.name, { leaseSeconds: 60 })
    await sender.send([{ body: 'old' }])
    const [held] = await queue.receive({ maxMessages: 1, waitSeconds: 0 })
    assert.ok(held !== undefined)
    await queue.admin.remove()
    assert.deepEqual(await sender.ack([held.receipt]), { lost: [held.receipt] })
    await sender.send([{ body: 'new' }])
    const deliveries = await queue.receive({ maxMessages: 10, waitSeconds: 0 })
    assert.deepEqual(
      deliveries.map(({ body }) => body),
      ['new'],
    )
    await other.close()
  })

  it('finds its way when the whole folder is deleted under it', async () => {
    const queue = open()
    await queue.send([{ body: 'gone' }])
    await rm(join(root, 'queues'), { recursive: true })
    await systemClock.sleep(600) // it looks twice a second
    await queue.send([{ body: 'new' }])
    const other = openProvider({ local: { root }, env: {} })
    const seen = await other.openQueue(queue.name, { leaseSeconds: 60 }).receive({ maxMessages: 9, waitSeconds: 0 })
    assert.deepEqual(
      seen.map(({ body }) => body),
      ['new'],
    )
    await other.close()
  })

  it('waits for messages without a lock, so that idle agents cost the busy nothing', async () => {
    const queue = open()
    await queue.admin.ensure()
    const writer = new DatabaseSync(pathOf(queue))
    writer.exec('BEGIN IMMEDIATE')
    const startedAtMs = systemClock.now()
    assert.deepEqual(await queue.receive({ maxMessages: 1, waitSeconds: 0.2 }), [])
    assert.ok(systemClock.now() - startedAtMs < 2_000)
    writer.exec('ROLLBACK')
    writer.close()
  })

  it('says which file somebody keeps locked', async () => {
    const path = join(root, 'locked.sqlite')
    const file = new SqliteFile(path, QUEUE_FORMAT, { lockWaitMs: 100 })
    const queue = new LocalQueue('locked', file, 60)
    await queue.admin.ensure()
    const writer = new DatabaseSync(path)
    writer.exec('BEGIN IMMEDIATE')
    await assert.rejects(
      queue.send([{ body: 'x' }]),
      /1 of 1 messages were not sent: Queue file \S+locked\.sqlite stayed locked/,
    )
    writer.close()
    await queue.send([{ body: 'x' }])
    file.close()
  })

  it('lets timers and signals have their turn in a tight loop of batches', async () => {
    const queue = open()
    const batch = Array.from({ length: 1000 }, () => ({ body: 'x'.repeat(60) }))
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const endMs = systemClock.now() + 300
    while (systemClock.now() < endMs) await queue.send(batch)
    clearInterval(timer)
    assert.ok(turns >= 3, `${turns} turns in 300 ms`)
  })

  const unusable = [
    ['that is damaged', (path: string) => writeFile(path, 'this is no SQLite file at all'.repeat(100)), /is damaged/],
    ['of a newer version', makeNewer, /written by a newer version/],
    ['in whose place is a folder', async (path: string) => void mkdirSync(path), /cannot be opened/],
  ] as const
  for (const [what, make, message] of unusable) {
    it(`answers with one sentence for a file ${what}`, async () => {
      const queue = open()
      mkdirSync(dirname(pathOf(queue)), { recursive: true })
      await make(pathOf(queue))
      await assert.rejects(queue.receive({ maxMessages: 1, waitSeconds: 0 }), (error: unknown) => {
        assert.ok(error instanceof UserError)
        assert.match(error.message, message)
        assert.ok(error.message.includes(pathOf(queue)))
        return true
      })
    })
  }

  it('answers with one sentence when its folder cannot be made', async () => {
    const file = join(root, 'a-file')
    await writeFile(file, '')
    const other = openProvider({ local: { root: file }, env: {} })
    await assert.rejects(other.openQueue('q', { leaseSeconds: 60 }).admin.ensure(), UserError)
  })

  it('keeps what was accepted when the disk is full, says so, and names what was not sent', async () => {
    const queue = open()
    await queue.admin.ensure()
    const program = fileURLToPath(new URL('./sends-until-full.ts', import.meta.url))
    // A limit on file sizes is the full disk that every machine has.
    const command = `ulimit -f 2000; exec "$0" "$@"`
    const args = ['-c', command, process.execPath, program, root, queue.name]
    const child = spawn('bash', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(child, 'close')
    const [sent, unsent, message] = Buffer.concat(chunks).toString().trim().split('\t')
    assert.match(message ?? '', /messages were not sent: Queue file .* (the disk is full|Check the disk)/)
    assert.equal(Number(unsent), 5000)
    assert.equal((await queue.admin.depth())?.ready, Number(sent))
  })

  it('gives the disk back when it is purged', async () => {
    const queue = open()
    await queue.send(Array.from({ length: 20_000 }, (_, index) => ({ body: `${index}`.padEnd(200) })))
    await queue.admin.purge()
    assert.ok(statSync(pathOf(queue)).size < 100_000)
  })
})

async function makeNewer(path: string): Promise<void> {
  const db = new DatabaseSync(path)
  db.exec('PRAGMA user_version = 99')
  db.close()
}
