// Who is refused by the dashboard, and what nobody can make it do: other names of this machine, other pages, missing tokens.
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { openDashboard } from '../../manager/dashboard/server.ts'
import { type AskOptions, DashboardJob, type Page } from '../support/dashboard-job.ts'

const ORDER = JSON.stringify({ action: 'pause' })
const PATHS = ['/', '/api/job', '/api/tasks', '/api/stream', '/assets/page.css', '/api/nothing']

describe('the dashboard', { timeout: 60_000 }, () => {
  const job = new DashboardJob()
  let shown: Page
  let controlled: Page

  before(async () => {
    job.load(['<script>alert(1)</script>'])
    job.collect(['exception', '<script>alert(1)</script>', { exception: '</script><img src=x onerror=alert(1)>' }])
    shown = await job.open()
    controlled = await job.open({ allowControl: true })
  })
  after(() => job.remove())

  function post(page: Page, headers: Readonly<Record<string, string>>, body = ORDER, path = '/api/control') {
    return page.ask(path, { method: 'POST', headers, body })
  }

  const json = { 'content-type': 'application/json' }
  const rows = () => job.db.sqlite.prepare('SELECT count(*) AS n FROM controls').get()?.n

  it('listens on loopback only', async () => {
    const others = Object.values(networkInterfaces())
      .flat()
      .flatMap(found => (found === undefined || found.internal || found.family !== 'IPv4' ? [] : [found.address]))
    for (const address of [...others, '127.0.0.2']) {
      const refused = await new Promise<boolean>(resolve => {
        const socket = connect({ host: address, port: shown.port, timeout: 2000 })
        socket
          .once('connect', () => resolve(false))
          .once('error', () => resolve(true))
          .once('timeout', () => resolve(true))
        socket.once('connect', () => socket.destroy())
      })
      assert.ok(refused, address)
    }
  })

  it('answers to no name but its own, so that a name that is made to point here gets nothing', async () => {
    const names = [
      'evil.example',
      `evil.example:${shown.port}`,
      '127.0.0.1',
      'localhost',
      '127.0.0.1:1',
      `0.0.0.0:${shown.port}`,
    ]
    for (const host of names) {
      for (const path of PATHS) {
        const { status, body } = await shown.ask(path, { headers: { host } })
        assert.ok(status === 403 || status === 400, `${host} ${path}: ${status}`)
        assert.doesNotMatch(body, /alert/)
      }
    }
    for (const host of [`127.0.0.1:${shown.port}`, `localhost:${shown.port}`]) {
      assert.equal((await shown.ask('/api/job', { headers: { host } })).status, 200)
    }
  })

  it('answers no other page, neither reading nor writing', async () => {
    const others: AskOptions['headers'][] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `http://localhost:${shown.port + 1}` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
    ]
    for (const headers of others) {
      assert.equal((await controlled.ask('/api/job', { headers: { ...headers } })).status, 403)
      const withToken = { ...json, ...headers, authorization: `Bearer ${controlled.token}` }
      assert.equal((await post(controlled, withToken)).status, 403)
    }
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
    assert.notEqual((await shown.ask('/', { headers: link })).status, 403) // a link may be followed
    const own = { origin: shown.origin, 'sec-fetch-site': 'same-origin' }
    assert.equal((await shown.ask('/api/job', { headers: own })).status, 200)
    assert.equal(rows(), 0)
  })

  it('takes an order only with the token, as JSON, in few bytes, and only where it may control', async () => {
    const good = { ...json, authorization: `Bearer ${controlled.token}` }
    for (const authorization of ['', 'Bearer', 'Bearer x', `Bearer ${controlled.token}x`, `${controlled.token}`]) {
      const answer = await post(controlled, { ...json, authorization })
      assert.equal(answer.status, 401, authorization)
    }
    assert.equal((await post(controlled, json)).status, 401)
    assert.equal((await post(controlled, json, ORDER, `/api/control?token=${controlled.token}`)).status, 401)
    assert.equal((await post(controlled, { ...good, 'content-type': 'text/plain' })).status, 415)
    assert.equal((await post(controlled, good, `{"action":"pause","x":"${'x'.repeat(2000)}"}`)).status, 413)
    assert.equal((await post(controlled, { ...good, 'transfer-encoding': 'chunked' }, 'x'.repeat(5000))).status, 413)
    assert.equal((await post(shown, { ...json, authorization: 'Bearer undefined' })).status, 403)
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const answer = await controlled.ask('/api/control', { method, headers: good })
      assert.equal(answer.status, 405, method)
      assert.equal(answer.headers['access-control-allow-origin'], undefined)
    }
    assert.equal((await controlled.ask('/api/control', { headers: good })).status, 404)
    assert.equal(rows(), 0)
  })

  it('says what is wrong with an order, and that nobody is there to carry it out', async () => {
    for (const [order, message] of [
      [{ action: 'explode' }, /"action" "explode" is none/],
      [{ action: 'limits' }, /Which limit/],
      [{ action: 'limits', maxInstances: 1.5 }, /"maxInstances" must be a number above 0/],
      [{ action: 'limits', maxInstances: '5' }, /"maxInstances"/],
      [{ action: 'limits', maxTotalCostUsd: -1 }, /"maxTotalCostUsd"/],
      [{ action: 'limits', maxTotalCostUsd: 1e300 }, /"maxTotalCostUsd"/],
      [[], /"action" undefined is none/],
    ] as const) {
      const { status, body } = await controlled.order(order)
      assert.equal(status, 400, JSON.stringify(order))
      assert.match(JSON.parse(body).error, message)
    }
    const { status, body } = await controlled.order({ action: 'pause' })
    assert.equal(status, 409)
    assert.match(JSON.parse(body).error, /No manager looks after the job now/)
    assert.equal(rows(), 0)
  })

  it('sends its policy with every answer, also with those that refuse', async () => {
    const asked: [string, AskOptions][] = [
      ['/api/job', {}],
      ['/api/nothing', {}],
      ['/api/tasks?limit=x', {}],
      ['/api/job', { headers: { host: 'evil.example' } }],
      ['/api/job', { method: 'DELETE' }],
      ['/api/control', { method: 'POST', body: 'x'.repeat(3000), headers: json }],
    ]
    for (const [path, options] of asked) {
      const { headers } = await controlled.ask(path, options)
      const policy = String(headers['content-security-policy'])
      assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/, path)
      assert.match(policy, /base-uri 'none'; form-action 'none'; frame-ancestors 'none'/)
      assert.doesNotMatch(policy, /unsafe|\*/)
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.equal(headers['referrer-policy'], 'no-referrer')
      assert.equal(headers['access-control-allow-origin'], undefined)
    }
  })

  it('sends what tasks say as JSON, never as a page', async () => {
    const id = encodeURIComponent('<script>alert(1)</script>')
    for (const path of ['/api/tasks', `/api/task?id=${id}`, '/api/exceptions', `/api/task?id=${id}x`, `/${id}`]) {
      const { headers } = await shown.ask(path)
      assert.match(String(headers['content-type']), /^application\/json/, path)
    }
  })

  it('serves the files of the page and no others', async () => {
    for (const path of [
      '/assets/..%2f..%2fserver.ts',
      '/assets/../server.ts',
      '/assets/%2e%2e/server.ts',
      '/assets/tsconfig.json',
      '/assets/dom.ts',
      '/assets/.hidden.css',
      '/assets/page.css%00.js',
      '/server.ts',
      '/package.json',
    ]) {
      assert.equal((await shown.ask(path)).status, 404, path)
    }
    const script = await shown.ask('/assets/main.js')
    assert.equal(script.status, 200)
    assert.match(String(script.headers['content-type']), /^text\/javascript/)
    assert.doesNotMatch(script.body, /from '[^']*\.ts'|: string/)
    assert.match((await shown.ask('/assets/uPlot.iife.min.js')).body, /uPlot/)
    const page = await shown.ask('/')
    assert.match(String(page.headers['content-type']), /^text\/html/)
    assert.doesNotMatch(page.body, /<script>|<script [^>]*>[^<]|https?:\/\/(?!www\.w3\.org)/) // nothing inline, nothing from elsewhere
  })

  it('lets only so many pages listen', async () => {
    const page = await job.open()
    const sockets = await Promise.all(
      Array.from({ length: 32 }, async () => {
        const socket = connect({ host: '127.0.0.1', port: page.port })
        socket.write(`GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1:${page.port}\r\n\r\n`)
        await new Promise(resolve => socket.once('data', resolve))
        return socket
      }),
    )
    try {
      assert.equal((await page.ask('/api/stream')).status, 503)
      sockets.pop()?.destroy()
      let status = 503
      for (let tries = 0; status === 503 && tries < 100; tries++) {
        await new Promise(resolve => setTimeout(resolve, 20))
        status = await statusOfStream(page)
      }
      assert.equal(status, 200, 'a page that goes makes room')
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  })

  it('refuses what names no host or several, and what is no HTTP', async () => {
    const own = `Host: 127.0.0.1:${shown.port}\r\n`
    for (const request of [
      'GET /api/job HTTP/1.0\r\n\r\n',
      'GET /api/job HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n',
      `GET /api/job HTTP/1.1\r\nHost: evil.example\r\n${own}Connection: close\r\n\r\n`,
      `GET http://evil.example/api/job HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
      '\x16\x03\x01 this is no HTTP\r\n\r\n',
    ]) {
      const socket = connect({ host: '127.0.0.1', port: shown.port, timeout: 5000 })
      socket.once('timeout', () => socket.destroy())
      socket.write(request)
      const answer = await text(socket)
      assert.match(answer, /^HTTP\/1\.1 40[03] /, JSON.stringify(request))
      assert.doesNotMatch(answer, /"jobId"/)
    }
    assert.equal((await shown.ask('/api/job')).status, 200)
  })

  it('names the port that is taken', async () => {
    await assert.rejects(openDashboard({ file: job.file, port: shown.port }), /Port \d+ is taken by another program/)
  })
})

/** Left as soon as it is known. */
function statusOfStream(page: Page): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: page.port, timeout: 5000 })
    socket.write(`GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1:${page.port}\r\n\r\n`)
    socket.once('error', reject).once('timeout', () => socket.destroy(new Error('The stream was not answered.')))
    socket.once('data', data => {
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(String(data))?.[1]))
      socket.destroy()
    })
  })
}
