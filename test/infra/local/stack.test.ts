// The local catalog, object store and stack pass the suites of all clouds, and keep what is special about them.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { UserError } from '../../../core/errors.ts'
import { openProvider, openStack } from '../../../infra/local/index.ts'
import { catalogConformance } from '../../conformance/catalog-suite.ts'
import { notebookConformance } from '../../conformance/notebook-suite.ts'
import { stackConformance } from '../../conformance/stack-suite.ts'
import { jobConfigWith } from '../../support/job-config.ts'

const config = jobConfigWith({ provider: 'local' })

catalogConformance('local', async () => {
  const { provider, close } = await openTemporary()
  return { provider, region: 'local', close }
})

stackConformance('local', async () => {
  const { root, provider, close } = await openTemporary()
  let count = 0
  return {
    stack: openStack({ local: { root }, env: {} }),
    provider,
    spec: () => ({ jobId: `job-${++count}`, queueName: `queue-${count}`, config, manager: 'here' }),
    close,
  }
})

notebookConformance('local', async () => {
  const { root, close } = await openTemporary()
  let count = 0
  return {
    open: () => openProvider({ local: { root }, env: {} }),
    jobId: async () => `job-${++count}`,
    close,
  }
})

describe('local catalog', () => {
  it('sells exactly the VM that the job file describes, at its price', async () => {
    const local = { vcpusPerVm: 3, memoryGbPerVm: 5, pricePerHour: 2 }
    const offers = await openProvider({ local, env: {} }).openCatalog().offers({ spot: true })
    assert.deepEqual(
      offers.map(offer => [offer.instanceType, offer.vcpuCount, offer.memoryGib, offer.priceUsdPerHour, offer.zone]),
      [
        ['local-3', 3, 5, 2, 'local-a'],
        ['local-3', 3, 5, 2, 'local-b'],
      ],
    )
  })

  it('has nothing in other regions', async () => {
    assert.deepEqual(await openProvider({ env: {} }).openCatalog().offers({ region: 'us-west-2', spot: true }), [])
  })
})

describe('local objects', () => {
  it('reads files by path and by file: address, and web addresses', async () => {
    const { root, provider, close } = await openTemporary()
    const path = join(root, 'a file.json')
    await writeFile(path, 'content')
    const server = createServer((request, response) => {
      response.statusCode = request.url === '/there' ? 200 : 404
      response.end('from the web')
    }).listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const address = server.address()
    assert.ok(address !== null && typeof address === 'object')
    const { port } = address
    const objects = provider.openObjects()
    assert.equal(await text(objects.read(path)), 'content')
    assert.equal(await text(objects.read(pathToFileURL(path).href)), 'content')
    assert.equal(await text(objects.read(`http://127.0.0.1:${port}/there`)), 'from the web')
    await assert.rejects(text(objects.read(`http://127.0.0.1:${port}/not`)), /answered 404/)
    server.closeAllConnections()
    server.close()
    await assert.rejects(text(objects.read(`http://127.0.0.1:${port}/there`)), UserError)
    await assert.rejects(text(objects.read(root)), /is a folder/)
    await assert.rejects(text(objects.read('s3://bucket/key')), /cannot read "s3:/)
    await close()
  })

  it('deletes no file that it did not write', async () => {
    const { root, provider, close } = await openTemporary()
    const path = join(root, 'mine.txt')
    await writeFile(path, 'x')
    await assert.rejects(provider.openObjects().remove(path), UserError)
    assert.ok(existsSync(path))
    await close()
  })

  it("go down with the job's stack", async () => {
    const { root, provider, close } = await openTemporary()
    const mine = await provider.openObjects().write('job-1/result', Buffer.from('x'))
    const other = await provider.openObjects().write('job-2/result', Buffer.from('x'))
    await openStack({ local: { root }, env: {} }).down({ jobId: 'job-1', queueName: 'q', config, manager: 'here' })
    await assert.rejects(text(provider.openObjects().read(mine)), UserError)
    assert.equal(await text(provider.openObjects().read(other)), 'x')
    await close()
  })
})

async function openTemporary() {
  const root = await mkdtemp(join(tmpdir(), 'local-stack-'))
  const provider = openProvider({ local: { root }, env: {} })
  const close = async () => {
    await provider.close()
    await rm(root, { recursive: true, force: true })
  }
  return { root, provider, close }
}

async function text(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all).toString()
}
