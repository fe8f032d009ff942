// Objects in S3: what is written where, and reads that survive broken connections.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { buildApp } from 'fauxqs'
import { UserError } from '../../../core/errors.ts'
import { AwsObjects } from '../../../infra/aws/objects.ts'
import { breakingProxy } from '../../support/breaking-proxy.ts'

const BUCKET = 'results-of-mine'
const MIB = 1024 * 1024
const hastyClock = { now: () => Date.now(), sleep: async () => {} }

describe('objects in S3', { timeout: 60_000 }, () => {
  const app = buildApp({ logger: false })
  let endpoint: string
  let s3: S3Client
  const opened: AwsObjects[] = []

  before(async () => {
    endpoint = await app.listen({ port: 0, host: '127.0.0.1' })
    const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' }
    s3 = new S3Client({ region: 'us-east-1', endpoint, credentials, forcePathStyle: true })
    for (const Bucket of [BUCKET, 'of-somebody']) await s3.send(new CreateBucketCommand({ Bucket }))
  })
  after(async () => {
    for (const objects of opened) objects.close()
    s3.destroy()
    await app.close()
  })

  function open({ bucket, address = endpoint }: { bucket?: string; address?: string } = {}): AwsObjects {
    const settings = { region: 'us-east-1', accessKey: 'key', secretKey: 'secret', ...(bucket && { bucket }) }
    const objects = new AwsObjects({ ...settings, env: { AWS_ENDPOINT_URL_S3: address } }, { clock: hastyClock })
    opened.push(objects)
    return objects
  }

  it('writes below cloud-tasks/ of the bucket that the job names', async () => {
    const url = await open({ bucket: BUCKET }).write('job-1/results/task 7.json', Buffer.from('{}'))
    assert.equal(url, `s3://${BUCKET}/cloud-tasks/job-1/results/task%207.json`)
    assert.equal(String(await bytesOf(open().read(url))), '{}')
  })

  it('reads without a region: S3 tells where a bucket is', async () => {
    const url = await open({ bucket: BUCKET }).write('anywhere', Buffer.from('here'))
    const env = { AWS_ENDPOINT_URL_S3: endpoint, AWS_CONFIG_FILE: '/nonexistent' }
    const objects = new AwsObjects({ accessKey: 'key', secretKey: 'secret', env })
    opened.push(objects)
    assert.equal(String(await bytesOf(objects.read(url))), 'here')
  })

  it('says which key to set when there is no bucket to write to', async () => {
    await assert.rejects(open().write('a', Buffer.from('x')), {
      name: 'UserError',
      message: /set "bucket" in the aws section/,
    })
    await assert.rejects(open().remove(`s3://${BUCKET}/cloud-tasks/a`), UserError)
  })

  it('names the bucket or object that is not there', async () => {
    const write = open({ bucket: 'nowhere' }).write('a', Buffer.from('x'))
    await assert.rejects(write, { name: 'UserError', message: /There is no bucket "nowhere"/ })
    const read = (url: string) => bytesOf(open().read(url))
    await assert.rejects(read('s3://nowhere/a'), { name: 'UserError', message: /There is no bucket "nowhere"/ })
    await assert.rejects(read('s3://of-somebody/a/b'), { message: 'There is no object s3://of-somebody/a/b.' })
    for (const url of ['gs://bucket/key', 's3://bucket', 's3://bucket/', '/a/path']) {
      await assert.rejects(read(url), { name: 'UserError', message: /give it as s3:/ })
    }
  })

  it("reads objects of others by their own key, and never deletes anybody's", async () => {
    const Key = 'lists/ünï #1?%2F +&.json'
    await s3.send(new PutObjectCommand({ Bucket: 'of-somebody', Key, Body: '[]' }))
    const objects = open({ bucket: BUCKET })
    assert.equal(String(await bytesOf(objects.read(`s3://of-somebody/${Key}`))), '[]')
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'mine.json', Body: '[]' }))
    for (const url of [`s3://of-somebody/${Key}`, `s3://${BUCKET}/mine.json`, `s3://${BUCKET}/cloud-tasks-2/x`]) {
      await assert.rejects(objects.remove(url), { name: 'UserError', message: /so it is not deleted/ })
    }
    assert.equal(String(await bytesOf(objects.read(`s3://${BUCKET}/mine.json`))), '[]')
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
    await using proxy = await breakingProxy(endpoint, { afterBytes: MIB / 2 })
    assert.deepEqual(await bytesOf(open({ address: proxy.endpoint }).read(url)), content)
    assert.ok(proxy.brokenCount() >= 5, `${proxy.brokenCount()} breaks`)
  })

  it('ends with a sentence when the connection breaks again and again', async () => {
    const url = await open({ bucket: BUCKET }).write('never', Buffer.alloc(MIB))
    await using proxy = await breakingProxy(endpoint, { afterBytes: 0 })
    await assert.rejects(bytesOf(open({ address: proxy.endpoint }).read(url)), (error: Error) => {
      assert.match(error.message, /^Reading s3:.*never.* at byte 0/)
      return true
    })
  })

  it('refuses to glue two versions of an object together', async () => {
    const objects = open({ bucket: BUCKET })
    const url = await objects.write('replaced', Buffer.alloc(2 * MIB, 'a'))
    await using proxy = await breakingProxy(endpoint, {
      afterBytes: MIB,
      onBreak: () => objects.write('replaced', Buffer.alloc(2 * MIB, 'b')),
    })
    await assert.rejects(bytesOf(open({ address: proxy.endpoint }).read(url)), {
      name: 'UserError',
      message: /was replaced while it was read/,
    })
  })

  it('reads web addresses', async () => {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/tasks.json' ? 200 : 404).end('[1]')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    assert.ok(address !== null && typeof address === 'object')
    const base = `http://127.0.0.1:${address.port}`
    assert.equal(String(await bytesOf(open().read(`${base}/tasks.json`))), '[1]')
    await assert.rejects(bytesOf(open().read(`${base}/gone`)), { name: 'UserError', message: /answered 404/ })
    server.close()
  })

  it('stops reading when the reader does', async () => {
    const url = await open({ bucket: BUCKET }).write('left', Buffer.alloc(8 * MIB))
    for await (const chunk of open().read(url)) {
      assert.ok(chunk.length > 0)
      break
    }
  })
})

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}
