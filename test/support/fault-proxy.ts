// A loopback proxy in front of an HTTP service that counts what passes and now and then does to it what networks and clouds do.
// Knows no service: what a fault is comes from outside, the usual ones are below. Same seed, same order of faults.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http'
import { systemClock } from '../../core/clock.ts'
import { seeded } from '../../scripts/simulate/seeded-random.ts'

export interface FaultProxy {
  readonly url: string
  /** Requests by action, for AWS services that name it in `X-Amz-Target`; by method and path for others. */
  readonly counts: ReadonlyMap<string, number>
  /** How often each fault has struck, by its name. */
  readonly struck: ReadonlyMap<string, number>
  close(): Promise<void>
}

export interface Fault {
  readonly name: string
  /** Of the requests that `concerns` it. */
  readonly share: number
  readonly concerns?: (exchange: Exchange) => boolean
  /** Answers the exchange, or drops it. */
  readonly strike: (exchange: Exchange) => Promise<void>
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export class Exchange {
  readonly action: string
  /** What is sent on; a fault may put something else in its place. */
  body: Buffer
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #forward: (exchange: Exchange, request: IncomingMessage, gone: AbortSignal) => Promise<Answer>
  readonly #gone = new AbortController()

  constructor(incoming: IncomingMessage, response: ServerResponse, body: Buffer, forward: Forward) {
    this.#request = incoming
    this.#response = response
    this.#forward = forward
    this.body = body
    const target = incoming.headers['x-amz-target']
    this.action = typeof target === 'string' ? target.replace(/^.*\./, '') : `${incoming.method} ${incoming.url}`
    response.once('close', () => this.#gone.abort())
  }

  /** Aborts when the client has hung up. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }

  forward(): Promise<Answer> {
    return this.#forward(this, this.#request, this.gone)
  }

  reply({ status, headers, body }: Answer): void {
    const { 'content-length': _, 'transfer-encoding': __, connection: ___, ...rest } = headers
    this.#response.writeHead(status, { ...rest, 'content-length': body.length })
    this.#response.end(body)
  }

  /** In pieces, with a rest before each. */
  async replySlowly({ status, headers, body }: Answer, { pieces, pauseMs }: { pieces: number; pauseMs: number }) {
    this.#response.writeHead(status, { 'content-type': headers['content-type'], 'content-length': body.length })
    this.#response.flushHeaders()
    const length = Math.ceil(body.length / pieces)
    for (let start = 0; start < body.length; start += length) {
      await systemClock.sleep(pauseMs, this.gone)
      this.#response.write(body.subarray(start, start + length))
    }
    this.#response.end()
  }

  /** Cuts the connection. */
  drop(): void {
    this.#request.socket.destroy()
  }
}

type Forward = (exchange: Exchange, request: IncomingMessage, gone: AbortSignal) => Promise<Answer>

const LONGEST_LULL = 3 // times the usual: by then a fault strikes for sure, so that a short test has seen each

export async function startFaultProxy({
  upstream,
  seed = 1,
  faults = [],
  latencyMs = 0,
}: {
  readonly upstream: string
  readonly seed?: number
  readonly faults?: readonly Fault[]
  /** Added to each answer, as of a service that is some way off. */
  readonly latencyMs?: number
}): Promise<FaultProxy> {
  const random = seeded(seed)
  const counts = new Map<string, number>()
  const struck = new Map<string, number>()
  const passed = new Map<Fault, number>() // that concerned it, since it struck last
  const agent = new Agent({ keepAlive: true })
  const forward: Forward = (exchange, incoming, gone) =>
    send(new URL(incoming.url ?? '/', upstream), agent, { exchange, incoming, gone })

  const server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => incoming.socket.destroy()) // as a proxy does whose service is gone
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const { port } = address
  return {
    url: `http://127.0.0.1:${port}`,
    counts,
    struck,
    close: async () => {
      agent.destroy()
      server.close()
      server.closeAllConnections()
    },
  }

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const exchange = new Exchange(incoming, response, Buffer.concat(chunks), forward)
    count(counts, exchange.action)
    if (latencyMs > 0) await systemClock.sleep(latencyMs)
    const fault = choose(exchange)
    if (fault === undefined) return exchange.reply(await exchange.forward())
    count(struck, fault.name)
    await fault.strike(exchange)
  }

  function choose(exchange: Exchange): Fault | undefined {
    let chance = random()
    const able = faults.filter(({ concerns }) => concerns === undefined || concerns(exchange))
    const chosen = able.find(fault => {
      const due = (passed.get(fault) ?? 0) * fault.share >= LONGEST_LULL
      const struckNow = due || chance < fault.share
      chance -= fault.share
      return struckNow
    })
    for (const fault of able) passed.set(fault, fault === chosen ? 0 : (passed.get(fault) ?? 0) + 1)
    return chosen
  }
}

/** Answered in the service's place, which never hears of the request. */
export function refusal(name: string, share: number, answer: Answer): Fault {
  return { name, share, strike: async exchange => exchange.reply(answer) }
}

/** Cut off before the service has heard of the request. */
export function lostRequest(share: number): Fault {
  return { name: 'lost request', share, strike: async exchange => exchange.drop() }
}

/** Cut off when the service has done what it was asked. */
export function lostAnswer(share: number): Fault {
  return {
    name: 'lost answer',
    share,
    async strike(exchange) {
      await exchange.forward()
      exchange.drop()
    },
  }
}

export function slowAnswer(share: number, { pieces = 4, pauseMs = 100 } = {}): Fault {
  return {
    name: 'slow answer',
    share,
    strike: async exchange => exchange.replySlowly(await exchange.forward(), { pieces, pauseMs }),
  }
}

/** Says nothing until the client loses patience; the service never hears of the request. */
export function silence(share: number): Fault {
  return {
    name: 'silence',
    share,
    strike: ({ gone }) =>
      new Promise(resolve => {
        if (gone.aborted) resolve()
        else gone.addEventListener('abort', () => resolve(), { once: true })
      }),
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

async function send(
  url: URL,
  agent: Agent,
  { exchange, incoming, gone }: { exchange: Exchange; incoming: IncomingMessage; gone: AbortSignal },
): Promise<Answer> {
  const { 'content-length': _, connection: __, ...headers } = incoming.headers
  const sent = request(url, {
    agent,
    method: incoming.method ?? 'GET',
    headers: { ...headers, 'content-length': exchange.body.length },
    signal: gone,
  })
  sent.end(exchange.body)
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve)
    sent.once('error', reject)
  })
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk)
  return { status: answer.statusCode ?? 502, headers: answer.headers, body: Buffer.concat(chunks) }
}
