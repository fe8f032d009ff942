// Runs the real HTTP server on a real local queue in a folder of its own, and talks to it.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Json } from '../../../core/task.ts'
import { openProvider } from '../../../infra/open-provider.ts'
import type { OutgoingMessage, Queue } from '../../../infra/provider.ts'

const AGENT = join(import.meta.dirname, '..', '..', '..', 'agent', 'main.ts')
const START_MS = 15_000
const SERVER_MS = 60_000 // no server of a test runs longer

export const KEY = 'the-key-of-alice'
export const OTHER_KEY = 'the-key-of-bob'

export type Fields = { readonly [key: string]: Json | undefined }
/** An answer's JSON; tests know what they look for. */
// biome-ignore lint/suspicious/noExplicitAny: the shape is what is tested
export type Answer = { readonly status: number; readonly json: any; readonly headers: Headers }

export interface RunningServer {
  readonly port: number
  readonly url: string
  readonly process: ChildProcess
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>
  log(): string
  /** GET without a body, else POST. */
  ask(path: string, body?: unknown, options?: { readonly key?: string | undefined }): Promise<Answer>
  claim(more?: object, options?: { readonly key?: string }): Promise<Answer>
}

export interface ServeBench extends AsyncDisposable {
  readonly folder: string
  readonly tasks: Queue
  load(messages: readonly Fields[], options?: Partial<OutgoingMessage>): Promise<void>
  start(...words: string[]): Promise<RunningServer>
  /** All events, in the order of the queue; they are taken out. */
  events(): Promise<readonly Fields[]>
  /** Bodies that can be received now; they are taken out. */
  left(suffix?: string): Promise<readonly Fields[]>
}

export async function openServeBench(): Promise<ServeBench> {
  const folder = await mkdtemp(join(tmpdir(), 'cloud-tasks-http-'))
  const provider = await openProvider('local', { local: { root: join(folder, 'cloud') }, env: {} })
  const queue = (name: string) => provider.openQueue(name, { leaseSeconds: 30 })
  const running = new Set<ChildProcess>()
  const drain = async (name: string) => {
    const bodies: Fields[] = []
    for (;;) {
      const deliveries = await queue(name).receive({ maxMessages: 10_000, waitSeconds: 0 })
      if (deliveries.length === 0) return bodies
      await queue(name).ack(deliveries.map(({ receipt }) => receipt))
      for (const { body } of deliveries) bodies.push(JSON.parse(body))
    }
  }

  return {
    folder,
    tasks: queue('job'),
    load: (messages, options = {}) =>
      queue('job').send(messages.map(message => ({ body: JSON.stringify(message), ...options }))),
    async start(...words) {
      const place = ['--provider', 'local', '--local-root', join(folder, 'cloud'), '--job-id', 'job', '--port', '0']
      const child = spawn(process.execPath, [AGENT, 'serve', ...place, ...words], {
        cwd: folder,
        env: { PATH: process.env.PATH, HOME: folder, API_KEYS: `alice:${KEY},bob:${OTHER_KEY}` },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: SERVER_MS,
        killSignal: 'SIGKILL',
      })
      running.add(child)
      const exit = new Promise<number | NodeJS.Signals>(resolve => {
        child.on('close', (code, signal) => {
          running.delete(child)
          resolve(code ?? signal ?? -1)
        })
      })
      return serverOf(child, exit)
    },
    events: () => drain('job-events'),
    left: (suffix = '') => drain(`job${suffix}`),
    async [Symbol.asyncDispose]() {
      for (const child of running) child.kill('SIGKILL')
      await provider.close()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** A server that has been started, when it listens. */
export async function serverOf(child: ChildProcess, exit: Promise<number | NodeJS.Signals>): Promise<RunningServer> {
  let log = ''
  const port = await new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`The server did not start: ${log}`)), START_MS)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log += text
      const found = /on http:\/\/\S+:(\d+)\//.exec(log)?.[1]
      if (found === undefined) return
      clearTimeout(timer)
      resolve(Number(found))
    })
    child.once('close', () => {
      clearTimeout(timer)
      reject(new Error(`The server ended: ${log}`))
    })
  })
  const url = `http://127.0.0.1:${port}/v1`
  const ask: RunningServer['ask'] = async (path, body, { key } = { key: KEY }) => {
    const response = await fetch(`${url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? undefined : { authorization: `Bearer ${key}` }),
      },
      ...(body === undefined ? undefined : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    })
    const text = await response.text()
    return { status: response.status, json: parsed(text), headers: response.headers }
  }
  const claim: RunningServer['claim'] = (more = {}, options) =>
    ask('/tasks/claim', { worker_id: 'worker-1', ...more }, options)
  return { port, url, process: child, exit, log: () => log, ask, claim }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
