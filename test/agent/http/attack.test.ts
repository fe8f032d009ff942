import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { tasks } from '../agent-run.ts'
import { KEY, openServeBench, type RunningServer } from './serve-run.ts'

// Side by side: the slow clients are slow for ten seconds.
describe('the HTTP server under attack', { timeout: 60_000, concurrency: 3 }, () => {
  it('answers 401 without a key and with a wrong one', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(1))
    const server = await bench.start()
    for (const header of [
      '',
      'Bearer',
      'Bearer  ',
      `Basic ${KEY}`,
      'Bearer wrong-key-of-all',
      `Bearer ${KEY}x`,
      `Bearer ${KEY} x`,
    ]) {
      for (const [method, path] of [
        ['POST', '/tasks/claim'],
        ['POST', '/tasks/task-1/complete'],
        ['GET', '/tasks'],
        ['GET', '/metrics'],
      ]) {
        const answer = await fetch(`${server.url}${path}`, {
          method: method ?? '',
          headers: { authorization: header },
          ...(method === 'POST' ? { body: '{"worker_id":"w"}' } : undefined),
        })
        assert.deepEqual([path, header, answer.status], [path, header, 401])
        assert.equal(answer.headers.get('www-authenticate'), 'Bearer')
        await answer.text()
      }
    }
    assert.equal((await server.claim()).status, 200)
  })

  it('refuses a body that is too long, said or unsaid, and reads no more of it', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(1))
    const server = await bench.start('--max-body-bytes', '10000')
    const long = JSON.stringify({ worker_id: 'w', padding: 'x'.repeat(20_000) })
    assert.equal((await server.ask('/tasks/claim', long)).status, 413)
    const chunked = await speak(server, [
      head('/v1/tasks/claim', 'transfer-encoding: chunked'),
      ...Array.from({ length: 30 }, () => `3e8\r\n${'x'.repeat(1000)}\r\n`),
      '0\r\n\r\n',
    ])
    assert.match(chunked, /^HTTP\/1\.1 413 /)
    const lying = await speak(server, [head('/v1/tasks/claim', 'content-length: 99999999999')], { untilAnswer: true })
    assert.match(lying, /^HTTP\/1\.1 413 /)
    assert.equal((await server.claim()).status, 200)
  })

  it('cuts a client off that sends too slowly, and serves the others meanwhile', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(1))
    const server = await bench.start()
    const slow = Array.from({ length: 50 }, () =>
      speak(server, [`POST /v1/tasks/claim HTTP/1.1\r\nhost: x\r\n`, 'x-slow: 1'], { untilAnswer: true }),
    )
    assert.equal((await server.claim()).status, 200)
    for (const answer of await Promise.all(slow)) assert.match(answer, /^HTTP\/1\.1 408 /)
    assert.equal((await server.ask('/health')).status, 200)
  })

  it('answers 400 to what is not JSON, not UTF-8, not an object, nested without end, or wrong in a field', async () => {
    await using bench = await openServeBench()
    await bench.load(tasks(1))
    const server = await bench.start()
    const bodies: readonly string[] = [
      '{',
      '{"worker_id":}',
      'null',
      '[]',
      '"worker"',
      '{"worker_id":7}',
      '{"worker_id":""}',
      `{"worker_id":"${'w'.repeat(1000)}"}`,
      '{"worker_id":"w","lease_seconds":-1}',
      '{"worker_id":"w","lease_seconds":1e999}',
      '{"worker_id":"w","wait_seconds":"long"}',
      '{"worker_id":"w","types":"a"}',
    ]
    for (const body of bodies) assert.deepEqual([body, (await server.ask('/tasks/claim', body)).status], [body, 400])
    const bytes = await fetch(`${server.url}/tasks/claim`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}` },
      body: new Uint8Array([0x22, 0xff, 0xfe, 0x22]),
    })
    assert.equal(bytes.status, 400)
    assert.equal((await server.claim()).status, 200)
    const deep = await server.ask('/tasks/task-1/complete', `{"result":${'['.repeat(200_000)}${']'.repeat(200_000)}}`)
    assert.equal(deep.status, 400)
    assert.equal(
      (await server.ask('/tasks/task-1/complete', '{"__proto__":{"x":1},"result":{"__proto__":2}}')).status,
      200,
    )
  })

  it('answers 4xx to tricks with the path and to other methods', async () => {
    await using bench = await openServeBench()
    const server = await bench.start()
    const paths: readonly (readonly [string, number])[] = [
      ['/', 404],
      ['//', 404],
      ['/v1', 404],
      ['/v1//tasks', 404],
      ['/tasks/', 404],
      ['/v1/../v1/tasks/x/y', 404],
      ['/v1/tasks/..%2f..%2fetc%2fpasswd', 404],
      ['/v1/tasks/%', 400],
      ['/v1/tasks/%ff', 400],
      ['/v1/tasks/%00', 404],
      ['/v1/tasks/__proto__', 404],
      ['/v1/v1/tasks', 404],
      ['http://elsewhere/v1/tasks', 404],
      [`/v1/tasks/${'x'.repeat(5000)}`, 414],
      ['/V1/tasks', 404],
    ]
    for (const [path, status] of paths) {
      const answer = await speak(server, [`GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\n\r\n`], {
        untilAnswer: true,
      })
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), path)
    }
    for (const method of ['DELETE', 'PUT', 'PATCH', 'OPTIONS']) {
      const answer = await fetch(`${server.url}/tasks`, { method, headers: { authorization: `Bearer ${KEY}` } })
      assert.deepEqual([method, answer.status, answer.headers.get('allow')], [method, 405, 'POST, GET'])
    }
  })

  it('survives what is not HTTP', async () => {
    await using bench = await openServeBench()
    const server = await bench.start()
    const rubbish = [
      '\0\0\0\0',
      'GET\r\n\r\n',
      '{"json":true}\r\n\r\n',
      `GET / HTTP/1.1\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`,
    ]
    for (const text of rubbish) assert.match(await speak(server, [text], { untilAnswer: true }), /^HTTP\/1\.1 4\d\d /)
    const smuggled = await speak(
      server,
      [`${head('/v1/tasks/claim', 'content-length: 5\r\ntransfer-encoding: chunked')}0\r\n\r\n`],
      { untilAnswer: true },
    )
    assert.match(smuggled, /^HTTP\/1\.1 400 /)
    assert.equal((await server.ask('/health')).status, 200)
    assert.equal(server.process.exitCode, null)
  })

  it('refuses a compressed body, which could be a small one that grows', async () => {
    await using bench = await openServeBench()
    const server = await bench.start()
    const answer = await fetch(`${server.url}/tasks/claim`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-encoding': 'gzip' },
      body: 'x',
    })
    assert.equal(answer.status, 415)
  })
})

function head(path: string, more: string): string {
  return `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\n${more}\r\n\r\n`
}

/** Writes the pieces and resolves with the answer: all of it when the connection ends, or what came first. */
function speak(
  { port }: RunningServer,
  pieces: readonly string[],
  { untilAnswer = false }: { readonly untilAnswer?: boolean } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => {
      for (const piece of pieces) socket.write(piece)
    })
    socket.setTimeout(25_000, () => socket.destroy(new Error('The server did not answer.')))
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text
      if (untilAnswer || answer.includes('\r\n\r\n')) socket.end(() => resolve(answer))
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', error => (answer === '' ? reject(error) : resolve(answer)))
  })
}
