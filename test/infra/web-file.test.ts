// Files behind web addresses, from servers that break off.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { readWeb } from '../../infra/web-file.ts'

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) % 256))
const BREAK_EVERY = 100_000
const clock = { now: () => Date.now(), sleep: async () => {} }

describe('a file behind a web address', { timeout: 30_000 }, () => {
  const requests: (string | undefined)[] = []
  const server = createServer((request, response) => {
    requests.push(request.headers.range)
    PAGES[request.url ?? '']?.(request, response) ?? response.writeHead(404).end()
  })
  let base: string
  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    assert.ok(address !== null && typeof address === 'object')
    base = `http://127.0.0.1:${address.port}`
  })
  after(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })

  async function read(path: string): Promise<Buffer> {
    requests.length = 0
    const chunks: Uint8Array[] = []
    for await (const chunk of readWeb(base + path, { clock })) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  it('is read to its end over connections that break', async () => {
    assert.deepEqual(await read('/breaks'), CONTENT)
    assert.deepEqual(requests, [undefined, 'bytes=100000-', 'bytes=200000-'])
    assert.deepEqual(await read('/breaks-without-length'), CONTENT)
  })

  it('is read whole when it is empty, packed, or of unknown length', async () => {
    assert.deepEqual(await read('/empty'), Buffer.alloc(0))
    assert.deepEqual(await read('/packed'), CONTENT)
    assert.deepEqual(await read('/chunked'), CONTENT)
  })

  for (const [path, why] of [
    ['/changes', 'it changed meanwhile'],
    ['/no-parts', 'the server sends no parts'],
    ['/nameless', 'nothing says that it is still the same'],
  ] as const) {
    it(`is not glued together when ${why}`, async () => {
      await assert.rejects(read(path), { name: 'UserError', message: /broke off at byte 100000.* Start again\.$/ })
    })
  }

  it('is given up with a sentence when no byte comes any more, or nothing is there', async () => {
    await assert.rejects(read('/silent'), { name: 'UserError', message: /silent cannot be read: .+\.$/ })
    assert.equal(requests.length, 6)
    await assert.rejects(read('/nowhere'), { name: 'UserError', message: /nowhere answered 404 Not Found\.$/ })
  })
})

type Page = (request: IncomingMessage, response: ServerResponse) => ServerResponse | undefined

const PAGES: Readonly<Record<string, Page>> = {
  '/breaks': breaking({ etag: () => '"one"', length: true }),
  '/breaks-without-length': breaking({ etag: () => '"one"', length: false }),
  '/changes': breaking({ etag: count => `"${count}"`, length: true }),
  '/nameless': breaking({ etag: () => undefined, length: true }),
  '/no-parts': (_, response) => {
    response.writeHead(200, { etag: '"one"', 'content-length': CONTENT.length })
    return sendAndBreak(response, CONTENT.subarray(0, BREAK_EVERY))
  },
  '/silent': (_, response) => {
    response.writeHead(200, { etag: '"one"', 'content-length': 10 })
    return sendAndBreak(response, Buffer.alloc(0))
  },
  '/empty': (_, response) => response.writeHead(200, { 'content-length': 0 }).end(),
  '/packed': (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(CONTENT)),
  '/chunked': (_, response) => {
    response.write(CONTENT.subarray(0, 1000))
    return response.end(CONTENT.subarray(1000))
  },
}

/** Gives out so many bytes a connection; parts only to those who name the version that it has now. */
function breaking({ etag, length }: { etag: (count: number) => string | undefined; length: boolean }): Page {
  let count = 0
  return (request, response) => {
    count += 1
    const version = etag(count)
    const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1]
    const from = asked !== undefined && request.headers['if-range'] === version ? Number(asked) : 0
    const rest = CONTENT.subarray(from)
    response.writeHead(from > 0 ? 206 : 200, {
      ...(version && { etag: version }),
      ...(length && { 'content-length': rest.length }),
      ...(from > 0 && { 'content-range': `bytes ${from}-${CONTENT.length - 1}/${CONTENT.length}` }),
    })
    if (rest.length <= BREAK_EVERY) return response.end(rest)
    return sendAndBreak(response, rest.subarray(0, BREAK_EVERY))
  }
}

function sendAndBreak(response: ServerResponse, bytes: Uint8Array): ServerResponse {
  response.flushHeaders()
  // Once they are on their way, and not before: what is still here when a connection is destroyed is lost.
  if (bytes.length === 0) response.destroy()
  else response.write(bytes, () => setTimeout(() => response.destroy(), 50))
  return response
}
