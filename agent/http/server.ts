// HTTP itself: connections, keys, bodies, statuses and their bounds. What a route does is in task-api.ts.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { codeOf, messageOf, UserError } from '../../core/errors.ts'
import type { QueueDepth } from '../../infra/provider.ts'
import type { Log } from '../log.ts'
import type { ApiKeys } from './api-keys.ts'
import { HttpFailure } from './http-failure.ts'
import type { Metrics } from './metrics.ts'
import { openApiDocument } from './openapi.ts'
import { parseBody, parseNewTasks, REQUEST_BODIES } from './request-bodies.ts'
import { type BodyReader, openBodyReader } from './request-body.ts'
import { BASE_PATH, type Matched, matchRoute } from './routes.ts'
import type { TaskApi } from './task-api.ts'
import type { TaskStatus } from './task-records.ts'

export interface HttpServer {
  readonly port: number
  /** Takes no new requests; resolves when those under way are answered, or are cut off after `graceMs`. */
  close(graceMs: number): Promise<void>
}

export interface HttpServerOptions {
  readonly host: string
  readonly port: number
  readonly maxBodyBytes: number
  readonly api: TaskApi
  readonly keys: ApiKeys
  readonly metrics: Metrics
  readonly liveClaims: () => number
  readonly log: Log
}

// Of one connection. A client that sends slowly on purpose is cut off with 408 by Node.
const HEADERS_MS = 10_000
const REQUEST_MS = 60_000
const IDLE_MS = 75_000 // longer than the clients' and proxies' 60 s: they close first, and no request is lost on a closed one
const CHECK_MS = 2_000
const MAX_CONNECTIONS = 5_000
const MAX_HEADER_BYTES = 16 * 1024
const DEPTH_MS = 2_000 // a health check must not wait for a queue that hangs
const DEFAULT_PAGE = 50
const MAX_PAGE = 500
const STATUSES: readonly string[] = ['pending', 'claimed', 'completed', 'failed']

interface Answer {
  readonly status: number
  readonly body: string
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
}

export async function openServer(options: HttpServerOptions): Promise<HttpServer> {
  const { log, metrics } = options
  const bodies = openBodyReader({ maxBytes: options.maxBodyBytes })
  let rendered: string | undefined
  const document = () => {
    rendered ??= JSON.stringify(openApiDocument(BASE_PATH))
    return rendered
  }
  const server = createServer(
    {
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: IDLE_MS,
      connectionsCheckingInterval: CHECK_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      noDelay: true,
    },
    (request, response) => void serve(request, response),
  )
  server.maxConnections = MAX_CONNECTIONS
  await listen(server, options)
  const { port } = server.address() as AddressInfo
  return {
    port,
    async close(graceMs) {
      const closed = new Promise(resolve => server.close(resolve))
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), graceMs)
      await closed
      clearTimeout(timer)
    },
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let route = 'none'
    let answer: Answer
    const gone = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished) gone.abort()
    })
    try {
      const matched = matchRoute(request.method ?? '', request.url ?? '')
      route = matched.route.name
      answer = await answerTo(matched, request, { ...options, bodies, document, gone: gone.signal })
    } catch (error) {
      answer = refusal(error, log, route)
    }
    metrics.request(route, answer.status)
    write(request, response, answer, { last: !server.listening })
  }
}

interface Surroundings extends HttpServerOptions {
  readonly document: () => string
  readonly bodies: BodyReader
  readonly gone: AbortSignal
}

async function answerTo(
  { route, id, query }: Matched,
  request: IncomingMessage,
  around: Surroundings,
): Promise<Answer> {
  const { api, keys, metrics, bodies, gone } = around
  const user = keys.userOf(request.headers.authorization)
  if (user === undefined && route.open !== true) {
    throw new HttpFailure(401, 'unauthorized', 'A valid API key is needed: "Authorization: Bearer KEY".', {
      headers: { 'www-authenticate': 'Bearer' },
    })
  }
  const who = user ?? ''
  const body = route.body === undefined ? undefined : await bodies.read(request)
  const json = (value: unknown): Answer => ({ status: route.status, body: JSON.stringify(value) })
  switch (route.name) {
    case 'claim':
      return json({ task: await api.claim(who, parseBody(REQUEST_BODIES.claim, body), gone) })
    case 'complete': {
      const { result, ...fence } = parseBody(REQUEST_BODIES.complete, body)
      return json(await api.complete(who, id, result, fence))
    }
    case 'fail':
      return json(await api.fail(who, id, parseBody(REQUEST_BODIES.fail, body)))
    case 'heartbeat':
      return json({ task: await api.heartbeat(who, id, parseBody(REQUEST_BODIES.heartbeat, body)) })
    case 'create': {
      const { many, tasks } = parseNewTasks(body)
      const created = await api.create(tasks)
      return json(many ? { tasks: created } : { task: created[0] })
    }
    case 'list':
      return json({ ...api.list(page(query)), queue: (await depth(api)) ?? null })
    case 'show':
      return json({ task: api.show(id) })
    case 'health':
      return health(around)
    case 'metrics':
      return {
        status: 200,
        body: metrics.render({ live: around.liveClaims(), depth: await depth(api) }),
        type: 'text/plain; version=0.0.4; charset=utf-8',
      }
    default:
      return { status: 200, body: around.document() }
  }
}

async function health({ api, metrics }: Surroundings): Promise<Answer> {
  const healthy = (await depth(api)) !== undefined
  const { lastTaskAtMs, startedAtMs, completed, failedFinal, failedRetried } = metrics
  const body = {
    status: healthy ? 'healthy' : 'unhealthy',
    uptime: (Date.now() - startedAtMs) / 1000,
    tasks_processed: completed + failedFinal + failedRetried,
    last_task_at: lastTaskAtMs === undefined ? null : new Date(lastTaskAtMs).toISOString(),
  }
  return { status: healthy ? 200 : 503, body: JSON.stringify(body) }
}

/** undefined = the queue does not answer, or is not there. */
async function depth(api: TaskApi): Promise<QueueDepth | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(() => resolve(undefined), DEPTH_MS)
  })
  const asked = api.depth().catch(() => undefined) // the queue's own words are in the log of whoever uses it
  return Promise.race([asked, late]).finally(() => clearTimeout(timer))
}

function page(query: URLSearchParams): { before: number; limit: number; status?: TaskStatus } {
  const status = query.get('status')
  if (status !== null && !STATUSES.includes(status)) {
    throw new HttpFailure(400, 'bad_request', `"status" must be one of ${STATUSES.join(', ')}.`)
  }
  return {
    before: wholeNumber(query, 'cursor', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    limit: wholeNumber(query, 'limit', DEFAULT_PAGE, MAX_PAGE),
    ...(status === null ? undefined : { status: status as TaskStatus }),
  }
}

function wholeNumber(query: URLSearchParams, name: string, fallback: number, most: number): number {
  const text = query.get(name)
  if (text === null) return fallback
  const value = Number(text)
  if (!/^\d{1,16}$/.test(text) || value < 1 || value > most)
    throw new HttpFailure(400, 'bad_request', `"${name}" must be a whole number from 1 to ${most}.`)
  return value
}

function refusal(error: unknown, log: Log, route: string): Answer {
  if (error instanceof HttpFailure) {
    if (error.status >= 500) log.warning(`${route}: ${error.message}`)
    return {
      status: error.status,
      body: JSON.stringify({ error: error.message, code: error.code }),
      headers: error.headers,
    }
  }
  // JSON that is nested so deeply that it can be read but not written.
  if (error instanceof RangeError) {
    return { status: 400, body: '{"error":"The body is nested too deeply.","code":"bad_request"}' }
  }
  log.error(`${route}: ${messageOf(error)}`)
  log.debug(error instanceof Error ? (error.stack ?? '') : '')
  return { status: 500, body: '{"error":"The server failed; its log says more.","code":"internal"}' }
}

function write(
  request: IncomingMessage,
  response: ServerResponse,
  { status, body, type = 'application/json', headers }: Answer,
  { last }: { readonly last: boolean },
): void {
  if (response.destroyed) return
  const bytes = Buffer.from(body)
  response.writeHead(status, {
    'content-type': type,
    'content-length': bytes.length,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    ...headers,
    ...(last ? { connection: 'close' } : undefined),
  })
  response.end(bytes)
  if (!request.complete) request.resume() // what was not wanted is read and thrown away, until `requestTimeout`
}

async function listen(server: Server, { host, port }: HttpServerOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: 1024 }, resolve)
  }).catch((error: unknown) => {
    const why = codeOf(error) === 'EADDRINUSE' ? 'another program listens there' : messageOf(error)
    throw new UserError(`The server cannot listen on ${host}:${port}: ${why}. Give another --port or --host.`, {
      cause: error,
    })
  })
}
