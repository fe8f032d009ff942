// The client of Google's REST APIs: what it repeats, for how long it waits, and that it reads every page.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import { GcpConnection } from '../../../infra/gcp/connection.ts'
import { gcpFailure, gcpFailureKind } from '../../../infra/gcp/failure.ts'
import { GcpRest } from '../../../infra/gcp/rest.ts'

const LIMIT_MS = 30_000
const TIMEOUT_MS = 200
type Answer = (response: ServerResponse, url: URL) => void
const fine: Answer = response => void response.end('{"fine":true}')
const busy: Answer = response => void response.writeHead(503).end('{}')
const silent: Answer = () => {}

describe('gcp: rest', { timeout: LIMIT_MS }, () => {
  it('gives up on an answer that does not come, and asks again', async context => {
    const { rest, urls } = await api(context, silent, fine)
    assert.deepEqual(await rest.request('GET', '/x'), { fine: true })
    assert.equal(urls.length, 2)
  })

  it('repeats a POST only if the API takes the second for the first, or was never reached by the first', async context => {
    const { rest, urls } = await api(context, busy, busy, fine)
    await assert.rejects(rest.request('POST', '/x', { body: {} }), /HTTP 503/)
    assert.equal(urls.length, 1)
    assert.deepEqual(await rest.request('POST', '/x', { body: {}, repeatable: true }), { fine: true })
    const throttled: Answer = response => void response.writeHead(429).end('{}')
    const other = await api(context, throttled, fine)
    assert.deepEqual(await other.rest.request('POST', '/x', { body: {} }), { fine: true })
  })

  it('waits as long as it is told to', async context => {
    const later: Answer = response => void response.writeHead(429, { 'retry-after': '1' }).end('{}')
    const { rest } = await api(context, later, fine)
    const startedMs = performance.now()
    await rest.request('GET', '/x')
    assert.ok(performance.now() - startedMs >= 990)
  })

  it('gives up in the end, and at once when it is told to stop', async context => {
    const { rest, urls } = await api(context, ...Array.from({ length: 20 }, () => busy))
    await assert.rejects(rest.request('GET', '/x'), error => gcpFailureKind(error) === 'server')
    assert.equal(urls.length, 6)
    const stop = new AbortController()
    const waiting = await api(context, silent)
    const request = waiting.rest.request('GET', '/x', { signal: stop.signal })
    stop.abort()
    await assert.rejects(request)
    assert.ok(waiting.urls.length <= 1)
  })

  it('reads every page, with the same question', async context => {
    const page = (next: string): Answer => {
      return response => void response.end(JSON.stringify({ nextPageToken: next, items: [next] }))
    }
    const { rest, urls } = await api(context, page('b'), page('c'), page(''))
    const items: unknown[] = []
    for await (const answer of rest.pages('/x', { query: { filter: 'a = "b c"' } })) items.push(answer.items)
    assert.deepEqual(items, [['b'], ['c'], ['']])
    assert.deepEqual(
      urls.map(({ searchParams }) => [searchParams.get('filter'), searchParams.get('pageToken')]),
      [
        ['a = "b c"', null],
        ['a = "b c"', 'b'],
        ['a = "b c"', 'c'],
      ],
    )
  })

  it('makes a sentence of what Google says, over REST as over gRPC', async context => {
    const disabled = {
      error: {
        code: 403,
        message: 'Cloud Billing API has not been used in project 1 before or it is disabled.',
        status: 'PERMISSION_DENIED',
        details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'SERVICE_DISABLED' }],
      },
    }
    const { rest } = await api(context, response => void response.writeHead(403).end(JSON.stringify(disabled)))
    const error = await rest.request('GET', '/x').catch(thrown => gcpFailure(thrown, { doing: 'reading prices' }))
    assert.match(
      String(error),
      /Reading prices failed: the API is not enabled \(SERVICE_DISABLED: Cloud Billing API has not/,
    )
    const grpc = Object.assign(new Error('7 PERMISSION_DENIED: User not authorized.'), { code: 7 })
    assert.match(
      gcpFailure(grpc, { doing: 'x', projectId: 'p' }).message,
      /^X in project p failed: Google denied it \(User not/,
    )
    const kinds = [4, 5, 8, 13, 14, 16].map(code => gcpFailureKind(Object.assign(new Error('n'), { code })))
    assert.deepEqual(kinds, ['network', 'not_found', 'throttled', 'server', 'server', 'bad_credentials'])
  })
})

/** Answers one request after the other so; later ones not at all. */
async function api(context: TestContext, ...answers: readonly Answer[]) {
  const urls: URL[] = []
  const left = [...answers]
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://google')
    urls.push(url)
    ;(left.shift() ?? silent)(response, url)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const env = { CLOUD_TASKS_GCP_BILLING_URL: `http://127.0.0.1:${address.port}` }
  const connection = new GcpConnection({ projectId: 'p', env })
  return { rest: new GcpRest(connection, 'BILLING', { pauseMs: 1, timeoutMs: TIMEOUT_MS }), urls }
}
