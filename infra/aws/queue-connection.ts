// One SQS client for all queues of a provider, made when it is first needed, and what is still under way when it closes.
import { setMaxListeners } from 'node:events'
import { SQSClient } from '@aws-sdk/client-sqs'
import { systemClock } from '../../core/clock.ts'
import { LeaseBook } from '../lease-book.ts'
import type { ProviderSettings } from '../open-provider.ts'
import { awsClientConfig } from './connection.ts'
import { awsFailure } from './failure.ts'
import { AWS_LIMITS } from './limits.ts'

const CLOSING_MS = 1_000 // for requests whose answers may still bring messages, which then go back

export class SqsConnection {
  readonly leases = new LeaseBook(AWS_LIMITS)
  readonly #settings: ProviderSettings
  readonly #unfinished = new Set<Promise<unknown>>()
  #opened: Opened | undefined

  constructor(settings: ProviderSettings) {
    this.#settings = settings
  }

  get client(): SQSClient {
    return this.#open().client
  }

  /** Longest wait for the first byte of an answer, besides what the request itself asks to wait. */
  get answerMs(): number {
    return this.#open().answerMs
  }

  get env(): ProviderSettings['env'] {
    return this.#settings.env
  }

  warn(text: string): void {
    this.#settings.onWarning?.(text)
  }

  failure(error: unknown, doing: string): Error {
    return awsFailure(error, { doing, region: this.#opened?.region })
  }

  /** Work that nobody waits for, but that should be finished before the connection closes. It must not reject. */
  finish(work: Promise<unknown>): void {
    this.#unfinished.add(work)
    void work.finally(() => this.#unfinished.delete(work))
  }

  /** Aborts when the connection closes: what is still asked for then is asked for in vain. */
  get closed(): AbortSignal {
    return this.#open().closing.signal
  }

  async close(): Promise<void> {
    const enough = new AbortController()
    void Promise.all(this.#unfinished).then(() => enough.abort())
    await systemClock.sleep(CLOSING_MS, enough.signal)
    this.#opened?.closing.abort()
    this.#opened?.client.destroy()
    this.#opened = undefined
  }

  #open(): Opened {
    if (this.#opened === undefined) {
      const config = awsClientConfig(this.#settings, 'SQS')
      // Queue URLs of emulators name hosts that need not resolve. Bodies travel over TLS: no second checksum.
      const client = new SQSClient({ ...config, useQueueUrlAsEndpoint: false, md5: false })
      const closing = new AbortController()
      setMaxListeners(0, closing.signal) // one for each request under way
      this.#opened = { client, closing, region: config.region, answerMs: config.requestHandler.requestTimeout }
    }
    return this.#opened
  }
}

interface Opened {
  readonly client: SQSClient
  readonly closing: AbortController
  readonly region: string
  readonly answerMs: number
}
