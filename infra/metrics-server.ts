// Serves a program's metrics to Prometheus: one page, read only, on this computer alone unless another address is asked for.
import { createServer } from 'node:http'
import { codeOf, messageOf, UserError } from '../core/errors.ts'
import { METRICS_CONTENT_TYPE } from '../core/metrics-text.ts'

export interface MetricsServer {
  /** Where it listens. */
  readonly url: string
  close(): Promise<void>
}

export interface MetricsServerOptions {
  /** 0 = any that is free. */
  readonly port: number
  readonly host: string
  readonly render: () => string | Promise<string>
}

const HEADERS_MS = 5000
const MAX_CONNECTIONS = 50

/** Rejects with a UserError if the address is taken or not there. */
export async function serveMetrics({ port, host, render }: MetricsServerOptions): Promise<MetricsServer> {
  const server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: HEADERS_MS }, async (request, response) => {
    const answer = (status: number, body: string, type = 'text/plain; charset=utf-8') =>
      response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' }).end(body)
    const path = (request.url ?? '').split('?')[0]
    if (path !== '/metrics') return answer(404, 'Metrics are under /metrics.\n')
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'Metrics can only be read.\n')
    try {
      return answer(200, await render(), METRICS_CONTENT_TYPE)
    } catch (error) {
      return answer(503, `The metrics are not to be had now: ${messageOf(error)}\n`)
    }
  })
  server.maxConnections = MAX_CONNECTIONS
  server.unref() // nobody keeps a program running to be measured
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(unlistenable(error, host, port)))
    server.listen({ port, host }, resolve)
  })
  const address = server.address()
  const actual = typeof address === 'object' ? (address?.port ?? port) : port
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}/metrics`,
    async close() {
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

function unlistenable(error: Error, host: string, port: number): UserError {
  const why = codeOf(error) === 'EADDRINUSE' ? 'it is taken' : messageOf(error)
  return new UserError(`Metrics cannot be served at ${host} port ${port} (${why}); give another --metrics-port.`, {
    cause: error,
  })
}
