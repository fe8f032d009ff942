// Stands before an HTTP server and cuts longer answers off: connections that break while something is read.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'

interface BreakingProxy extends AsyncDisposable {
  readonly endpoint: string
  brokenCount(): number
}

interface Breaking {
  readonly afterBytes: number
  readonly onBreak?: () => Promise<unknown>
  /** Which requests; absent = all. */
  readonly path?: RegExp
}

/** Passes requests on, and cuts each longer answer off after so many bytes of its body. */
export async function breakingProxy(
  target: string,
  { afterBytes, onBreak, path = /^/ }: Breaking,
): Promise<BreakingProxy> {
  let brokenCount = 0
  const server = createServer((incoming, outgoing) => {
    const { method, url = '/', headers } = incoming
    const passed = httpRequest(new URL(url, target), { method: method ?? 'GET', headers }, answer => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      outgoing.flushHeaders()
      let sent = 0
      let broken = false
      answer.on('data', (chunk: Buffer) => {
        if (broken) return
        const kept = path.test(url) ? chunk.subarray(0, Math.max(0, afterBytes - sent)) : chunk
        sent += kept.length
        if (kept.length === chunk.length) return void outgoing.write(chunk)
        broken = true
        brokenCount += 1
        outgoing.write(kept, () => {
          void Promise.resolve(onBreak?.()).then(() => outgoing.destroy())
        })
        if (kept.length === 0 && onBreak === undefined) outgoing.destroy()
      })
      answer.on('end', () => {
        if (!broken) outgoing.end()
      })
    })
    passed.on('error', () => outgoing.destroy())
    incoming.pipe(passed)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    brokenCount: () => brokenCount,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
