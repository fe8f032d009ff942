// Objects in Cloud Storage: what is written where, and reads that survive broken connections. And the suite of all catalogues
// and object stores.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { UserError } from '../../../core/errors.ts'
import { openProvider } from '../../../infra/gcp/index.ts'
import { GcpObjects } from '../../../infra/gcp/objects.ts'
import { catalogConformance } from '../../conformance/catalog-suite.ts'
import { breakingProxy } from '../../support/breaking-proxy.ts'
import { PRICED_PROJECT, startGcpPriceFake } from '../../support/gcp-price-fake.ts'
import { type GcsServer, startGcsServer } from '../../support/gcs-server.ts'
import { withGoTools } from '../../support/test-tools.ts'

const BUCKET = 'results-of-mine'
const MIB = 1024 * 1024
const hastyClock = { now: () => Date.now(), sleep: async () => {} }

withGoTools(['fake-gcs-server'], () => {
  catalogConformance('gcp', async () => {
    const [server, prices] = await Promise.all([startGcsServer(), startGcpPriceFake(5)])
    await server.createBucket(BUCKET)
    const folder = await mkdtemp(join(tmpdir(), 'cloud-tasks-catalog-'))
    const provider = openProvider({
      ...{ region: 'us-central1', projectId: PRICED_PROJECT, bucket: BUCKET },
      env: {
        ...{ CLOUD_TASKS_GCP_BILLING_URL: prices.endpoint, CLOUD_TASKS_GCP_COMPUTE_URL: prices.endpoint },
        ...{ STORAGE_EMULATOR_HOST: server.endpoint, XDG_CACHE_HOME: folder },
      },
    })
    return {
      provider,
      region: 'us-central1',
      close: async () => {
        await provider.close()
        await Promise.all([server.close(), prices.close()])
        await rm(folder, { recursive: true, force: true })
      },
    }
  })

  describe('objects in Cloud Storage', { timeout: 120_000 }, () => {
    let server: GcsServer
    before(async () => {
      server = await startGcsServer()
      for (const bucket of [BUCKET, 'of-somebody']) await server.createBucket(bucket)
    })
    after(() => server.close())

    function open({ bucket, endpoint = server.endpoint }: { bucket?: string; endpoint?: string } = {}): GcpObjects {
      const env = { STORAGE_EMULATOR_HOST: endpoint }
      return new GcpObjects({ ...(bucket && { bucket }), env }, { clock: hastyClock })
    }

    it('writes below cloud-tasks/ of the bucket that the job names', async () => {
      const url = await open({ bucket: BUCKET }).write('job-1/results/task 7.json', Buffer.from('{}'))
      assert.equal(url, `gs://${BUCKET}/cloud-tasks/job-1/results/task%207.json`)
      assert.equal(String(await bytesOf(open().read(url))), '{}')
    })

    it('says which key to set when there is no bucket to write to', async () => {
      await assert.rejects(open().write('a', Buffer.from('x')), {
        name: 'UserError',
        message: /set "bucket" in the gcp section/,
      })
      await assert.rejects(open().remove(`gs://${BUCKET}/cloud-tasks/a`), UserError)
    })

    it('names the bucket or object that is not there', async () => {
      const write = open({ bucket: 'nowhere' }).write('a', Buffer.from('x'))
      await assert.rejects(write, { name: 'UserError', message: /There is no bucket "nowhere"/ })
      const read = (url: string) => bytesOf(open().read(url))
      await assert.rejects(read('gs://nowhere/a'), { name: 'UserError', message: /There is no bucket "nowhere"/ })
      await assert.rejects(read('gs://of-somebody/a/b'), { message: 'There is no object gs://of-somebody/a/b.' })
      for (const url of ['s3://bucket/key', 'gs://bucket', 'gs://bucket/', '/a/path']) {
        await assert.rejects(read(url), { name: 'UserError', message: /give it as gs:/ })
      }
    })

    it("reads objects of others by their own key, and never deletes anybody's", async () => {
      const key = 'lists/ünï #1?%2F +&.json'
      await server.put('of-somebody', key, '[]')
      await server.put(BUCKET, 'mine.json', '[]')
      const objects = open({ bucket: BUCKET })
      assert.equal(String(await bytesOf(objects.read(`gs://of-somebody/${key}`))), '[]')
      for (const url of [`gs://of-somebody/${key}`, `gs://${BUCKET}/mine.json`, `gs://${BUCKET}/cloud-tasks-2/x`]) {
        await assert.rejects(objects.remove(url), { name: 'UserError', message: /so it is not deleted/ })
      }
      assert.equal(String(await bytesOf(objects.read(`gs://${BUCKET}/mine.json`))), '[]')
    })

    it('unpacks what is stored as compressed, unless its name says that it is a compressed file', async () => {
      const packed = gzipSync('[1,2,3]')
      for (const key of ['tasks.json', 'tasks.json.gz']) {
        await server.put('of-somebody', key, packed, { contentEncoding: 'gzip' })
      }
      assert.equal(String(await bytesOf(open().read('gs://of-somebody/tasks.json'))), '[1,2,3]')
      assert.deepEqual(await bytesOf(open().read('gs://of-somebody/tasks.json.gz')), packed)
    })

    it('reads in chunks, so that memory holds little of a large object', async () => {
      const url = await open({ bucket: BUCKET }).write('large', Buffer.alloc(8 * MIB, 'abc'))
      let largest = 0
      let total = 0
      for await (const chunk of open().read(url)) {
        largest = Math.max(largest, chunk.length)
        total += chunk.length
      }
      assert.equal(total, 8 * MIB)
      assert.ok(largest <= MIB, `${largest}`)
    })

    it('goes on where a connection broke, byte for byte', async () => {
      const content = Buffer.from(Array.from({ length: 3 * MIB }, (_, index) => (index * 7 + (index >> 8)) % 256))
      const url = await open({ bucket: BUCKET }).write('broken', content)
      await using proxy = await breakingProxy(server.endpoint, { afterBytes: MIB / 2 })
      assert.deepEqual(await bytesOf(open({ endpoint: proxy.endpoint }).read(url)), content)
      assert.ok(proxy.brokenCount() >= 5, `${proxy.brokenCount()} breaks`)
    })

    it('ends with a sentence when the connection breaks again and again', async () => {
      const url = await open({ bucket: BUCKET }).write('never', Buffer.alloc(MIB))
      await using proxy = await breakingProxy(server.endpoint, { afterBytes: 0, path: /alt=media/ })
      await assert.rejects(
        bytesOf(open({ endpoint: proxy.endpoint }).read(url)),
        /^UserError: Reading gs:.*never, at byte 0/,
      )
    })

    it('refuses to glue two versions of an object together', async () => {
      const objects = open({ bucket: BUCKET })
      const url = await objects.write('replaced', Buffer.alloc(2 * MIB, 'a'))
      await using proxy = await breakingProxy(server.endpoint, {
        afterBytes: MIB,
        onBreak: () => objects.write('replaced', Buffer.alloc(2 * MIB, 'b')),
      })
      await assert.rejects(bytesOf(open({ endpoint: proxy.endpoint }).read(url)), {
        name: 'UserError',
        message: /was replaced while it was read/,
      })
    })

    it('stops reading when the reader does', async () => {
      const url = await open({ bucket: BUCKET }).write('left', Buffer.alloc(8 * MIB))
      for await (const chunk of open().read(url)) {
        assert.ok(chunk.length > 0)
        break
      }
    })
  })
})

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}
