// The two Pub/Sub clients for all queues of a provider, loaded and made when they are first needed, and what is still under way
// when they close.
import type { v1 } from '@google-cloud/pubsub'
import type { AuthClient } from 'google-auth-library'
import { systemClock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import { LeaseBook } from '../lease-book.ts'
import { type GcpConnection, gcpAddress } from './connection.ts'
import { gcpFailure } from './failure.ts'
import { GCP_LIMITS } from './limits.ts'

const CLOSING_MS = 1_000 // for requests whose answers may still bring messages, which then go back
const DEFAULT_ANSWER_SECONDS = 30 // to the end of an answer: ten megabytes over a slow line take a while

export interface PubSubClients {
  readonly projectId: string
  readonly publisher: v1.PublisherClient
  readonly subscriber: v1.SubscriberClient
}

/** For every call: repetition is ours, as the SDK would go on for ten minutes where somebody waits for an answer. */
export interface Once {
  readonly timeout: number
  readonly retry: { readonly retryCodes: number[]; readonly backoffSettings: Backoff }
}

export class PubSubConnection {
  readonly gcp: GcpConnection
  readonly leases = new LeaseBook(GCP_LIMITS)
  readonly #unfinished = new Set<Promise<unknown>>()
  #opened: Promise<PubSubClients> | undefined
  #projectId: string | undefined
  #answerMs: number | undefined

  constructor(gcp: GcpConnection) {
    this.gcp = gcp
  }

  /** Emulators do at once what the service takes its time for. */
  get emulated(): boolean {
    return emulatorHost(this.gcp.settings.env) !== undefined
  }

  /** Rejects with a UserError where the project or the credentials are missing. */
  clients(): Promise<PubSubClients> {
    this.#opened ??= this.#open()
    this.#opened.catch(() => {
      this.#opened = undefined // what is missing may be mended while we run
    })
    return this.#opened
  }

  /** The longest that one request may take, besides what it asks the service to wait. */
  once(waitMs = 0): Once {
    this.#answerMs ??= answerSeconds(this.gcp.settings.env) * 1000
    return within(waitMs + this.#answerMs)
  }

  failure(error: unknown, doing: string): Error {
    return gcpFailure(error, { doing, projectId: this.#projectId })
  }

  warn(text: string): void {
    this.gcp.settings.onWarning?.(text)
  }

  /** Work that nobody waits for, but that should be finished before the connection closes. It must not reject. */
  finish(work: Promise<unknown>): void {
    this.#unfinished.add(work)
    void work.finally(() => this.#unfinished.delete(work))
  }

  async close(): Promise<void> {
    const opened = this.#opened
    if (opened === undefined) return
    this.#opened = undefined
    const enough = new AbortController()
    void Promise.all(this.#unfinished).then(() => enough.abort())
    await systemClock.sleep(CLOSING_MS, enough.signal)
    const clients = await opened.catch(() => undefined) // then there is nothing to close
    await Promise.all([clients?.publisher.close(), clients?.subscriber.close()])
  }

  async #open(): Promise<PubSubClients> {
    const projectId = await this.gcp.projectId()
    this.#projectId = projectId
    const options = await clientOptions(this.gcp, projectId)
    const [{ PublisherClient }, { SubscriberClient }] = await Promise.all([
      import('@google-cloud/pubsub/build/src/v1/publisher_client.js'),
      import('@google-cloud/pubsub/build/src/v1/subscriber_client.js'),
    ])
    return { projectId, publisher: new PublisherClient(options), subscriber: new SubscriberClient(options) }
  }
}

export function within(timeoutMs: number): Once {
  return { timeout: timeoutMs, retry: { retryCodes: [], backoffSettings: NO_BACKOFF } }
}

interface Backoff {
  readonly maxRetries: 0
  readonly initialRetryDelayMillis: number
  readonly retryDelayMultiplier: number
  readonly maxRetryDelayMillis: number
}

const NO_BACKOFF: Backoff = {
  maxRetries: 0,
  initialRetryDelayMillis: 100,
  retryDelayMultiplier: 2,
  maxRetryDelayMillis: 100,
}

type ClientOptions = NonNullable<ConstructorParameters<typeof v1.SubscriberClient>[0]>

async function clientOptions(gcp: GcpConnection, projectId: string): Promise<ClientOptions> {
  const emulator = emulatorHost(gcp.settings.env)
  const { hostname, port } =
    emulator === undefined ? new URL(gcpAddress(gcp.settings, 'PUBSUB')) : parseEmulatorHost(emulator)
  return {
    projectId,
    servicePath: hostname,
    port: Number(port || 443),
    ...(emulator === undefined
      ? { authClient: asOfSdk(await gcp.authClient()) }
      : { sslCreds: await withoutTls(emulator, projectId) }),
    // Otherwise the SDK looks for credentials of its own to ask them whose cloud this is.
    clientOptions: { universeDomain: 'googleapis.com' },
    'grpc.keepalive_time_ms': 300_000, // as the SDK's own queues do: a dead connection is noticed
    'grpc.keepalive_timeout_ms': 20_000,
    'grpc.max_reconnect_backoff_ms': 5_000, // by default two minutes
  }
}

/** The SDK has a copy of the library of its own, whose classes TypeScript takes for others. */
function asOfSdk(client: AuthClient): NonNullable<ClientOptions['authClient']> {
  return client as unknown as NonNullable<ClientOptions['authClient']>
}

/** The generated clients speak to an emulator only with what the SDK's front makes of its address. */
async function withoutTls(apiEndpoint: string, projectId: string): Promise<NonNullable<ClientOptions['sslCreds']>> {
  const { PubSub } = await import('@google-cloud/pubsub')
  const { sslCreds } = new PubSub({ projectId, apiEndpoint, emulatorMode: true }).options
  if (sslCreds === undefined) throw new Error('the Pub/Sub SDK knows no emulators any more')
  return sslCreds
}

function emulatorHost(env: Readonly<Record<string, string | undefined>>): string | undefined {
  return env.PUBSUB_EMULATOR_HOST?.trim() || undefined
}

/** `host:port`, as Google's own emulator gives it. */
function parseEmulatorHost(text: string): URL {
  const url = /^https?:\/\//.test(text) ? text : `http://${text}`
  if (URL.canParse(url) && new URL(url).port !== '') return new URL(url)
  throw new UserError(`PUBSUB_EMULATOR_HOST is "${text}": it must be host:port.`)
}

function answerSeconds(env: Readonly<Record<string, string | undefined>>): number {
  const text = env.CLOUD_TASKS_GCP_TIMEOUT_SECONDS
  const seconds = Number(text || DEFAULT_ANSWER_SECONDS)
  if (seconds > 0 && Number.isFinite(seconds)) return seconds
  throw new UserError(`CLOUD_TASKS_GCP_TIMEOUT_SECONDS is "${text}": it must be a number of seconds above 0.`)
}
