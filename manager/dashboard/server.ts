// The dashboard's HTTP server: on loopback only, from the job's database alone. Owns addresses and answers, no figures.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { codeOf, messageOf, UserError } from '../../core/errors.ts'
import { answerExceptions, answerSlowest, answerTasks } from './answers.ts'
import { guard, isToken, smallBody } from './guard.ts'
import { JobFollower } from './job-follower.ts'
import { LiveStream } from './live-stream.ts'
import { NobodyListens, placeOrder } from './order.ts'
import { readPageFile } from './page-files.ts'
import { BadRequest, parseControlRequest, parseRange, parseTasksQuery } from './parse-requests.ts'
import { readTaskDetail } from './task-rows-view.ts'
import { readSpans } from './vm-rows.ts'

export interface DashboardOptions {
  readonly file: string
  /** Default: one that is free. */
  readonly port?: number
  readonly allowControl?: boolean
  /** Part of the time that may be spent on reading. */
  readonly load?: number
}

export interface Dashboard {
  /** Where a browser finds it; with the token, if it may control. */
  readonly url: string
  /** Idempotent. */
  close(): Promise<void>
}

const HOST = '127.0.0.1'
const MOST_LISTENERS = 32 // pages that are open at once; each costs a connection
const DEFAULT_LOAD = 0.25

/** Throws a UserError if there is no job in the file, or the port is taken. */
export async function openDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { file, port = 0, allowControl = false, load = DEFAULT_LOAD } = options
  const follower = new JobFollower({ file, control: allowControl, load })
  const stream = new LiveStream(follower)
  const token = allowControl ? randomBytes(24).toString('base64url') : undefined
  const stop = new AbortController()
  let listeningPort = 0
  const app = routes({ follower, stream, token, stopped: stop.signal, portOf: () => listeningPort })
  const server = createServer(getRequestListener(app.fetch, { hostname: HOST, overrideGlobalObjects: false }))
  try {
    listeningPort = await listen(server, port)
  } catch (error) {
    follower.close()
    throw error
  }
  const running = Promise.all([follower.run(stop.signal), stream.run(stop.signal)])
  const close = async () => {
    stop.abort()
    server.closeAllConnections()
    if (server.listening) await new Promise(resolve => server.close(resolve))
    await running
    follower.close()
  }
  let closing: Promise<void> | undefined
  return {
    url: `http://${HOST}:${listeningPort}/${token === undefined ? '' : `#token=${token}`}`,
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, HOST)
  try {
    await once(server, 'listening')
  } catch (error) {
    const why = codeOf(error) === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used: ${messageOf(error)}`
    throw new UserError(`Port ${port} ${why}; give another --port, or none.`, { cause: error })
  }
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

interface Parts {
  readonly follower: JobFollower
  readonly stream: LiveStream
  readonly token: string | undefined
  readonly stopped: AbortSignal
  readonly portOf: () => number
}

function routes({ follower, stream, token, stopped, portOf }: Parts): Hono {
  const app = new Hono()
  const query = (context: Context) => (name: string) => context.req.query(name)
  app.use('*', guard(portOf))
  app.get('/', context => pageFile(context, 'page.html'))
  app.get('/assets/:name', context => pageFile(context, context.req.param('name')))
  app.get('/api/job', context => context.json(follower.job()))
  app.get('/api/series', context => context.json(follower.series(parseRange(query(context)))))
  app.get('/api/tasks', context => context.json(answerTasks(follower, parseTasksQuery(query(context)))))
  app.get('/api/task', context => taskDetail(context, follower, context.req.query('id') ?? ''))
  app.get('/api/tasks/:id{.+}', context => taskDetail(context, follower, context.req.param('id')))
  app.get('/api/exceptions', context => context.json(answerExceptions(follower)))
  app.get('/api/slowest', context => context.json(answerSlowest(follower)))
  app.get('/api/histogram', context => context.json(follower.histogram()))
  app.get('/api/vms', context => context.json({ vms: follower.vms() }))
  app.get('/api/vms/:id/tasks', context => {
    const { fromS = 0, toS = Number.POSITIVE_INFINITY } = parseRange(query(context))
    return context.json(readSpans(follower.watched, follower.index, { vmId: context.req.param('id'), fromS, toS }))
  })
  app.get('/api/stream', context => listenTo(context, stream, stopped))
  app.post('/api/control', smallBody, context => control(context, follower, token))
  app.notFound(context => context.json({ error: 'There is nothing at this address.' }, 404))
  app.onError((error, context) => {
    if (error instanceof BadRequest) return context.json({ error: error.message }, 400)
    if (error instanceof NobodyListens) return context.json({ error: error.message }, 409)
    const trouble = follower.watched.trouble ?? messageOf(error)
    return context.json({ error: `This cannot be answered now: ${trouble}` }, 500)
  })
  return app
}

function pageFile(context: Context, name: string): Response | Promise<Response> {
  const file = readPageFile(name)
  if (file === undefined) return context.notFound()
  return context.body(file.body, 200, { 'content-type': file.contentType })
}

function taskDetail(context: Context, follower: JobFollower, id: string): Response {
  const detail = readTaskDetail(follower.watched, id)
  return detail === undefined
    ? context.json({ error: `There is no task ${JSON.stringify(id)}.` }, 404)
    : context.json(detail)
}

function listenTo(context: Context, stream: LiveStream, stopped: AbortSignal): Response {
  if (stream.listenerCount >= MOST_LISTENERS) {
    return context.json({ error: `${MOST_LISTENERS} pages listen already; close some.` }, 503)
  }
  return streamSSE(context, async sse => {
    const gone = new AbortController()
    sse.onAbort(() => gone.abort())
    const signal = AbortSignal.any([gone.signal, stopped])
    await stream.listen((event, data) => sse.writeSSE({ event, data }), signal)
  })
}

async function control(context: Context, follower: JobFollower, token: string | undefined): Promise<Response> {
  if (token === undefined) {
    return context.json({ error: 'This dashboard only shows. Start it with --allow-control to change anything.' }, 403)
  }
  if (!isToken(/^Bearer (\S+)$/.exec(context.req.header('authorization') ?? '')?.[1], token)) {
    return context.json({ error: 'The token is missing or wrong: open the whole address that was printed.' }, 401)
  }
  if (!/^application\/json\b/.test(context.req.header('content-type') ?? '')) {
    return context.json({ error: 'An order must be sent as application/json.' }, 415)
  }
  placeOrder(follower.watched.file, parseControlRequest(await context.req.text()), new Date())
  return context.json({}, 202)
}
