// The metadata service of an EC2 VM, version 2 only: a token first, then paths. Knows what answered, not what it means.
import { systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { ProviderSettings } from '../open-provider.ts'

const DEFAULT_BASE = 'http://169.254.169.254'
const TOKEN_TTL_SECONDS = 21_600 // the longest there is
const TOKEN_REFRESH_AT = 0.8 // of its life
const REQUEST_MS = 1_000 // it answers within milliseconds, or nothing is there
const TRIES = 3
const TROUBLED_TRIES = 5 // of a service that is there: it throttles for a second or two
const RETRY_MS = 250
const LONGEST_RETRY_MS = 1_000

/** Nothing answers, or not as the service of a VM would: this is no EC2 VM. */
export class NoMetadata extends Error {
  override readonly name = 'NoMetadata'
}

export class InstanceMetadata {
  readonly #base: string
  readonly #disabled: boolean
  #answered = false
  #token: { readonly text: string; readonly refreshAtMs: number } | undefined

  constructor({ env }: Pick<ProviderSettings, 'env'>) {
    this.#base = (env.AWS_EC2_METADATA_SERVICE_ENDPOINT || DEFAULT_BASE).replace(/\/+$/, '')
    this.#disabled = env.AWS_EC2_METADATA_DISABLED?.toLowerCase() === 'true'
  }

  /** What is at `path` under `latest/`; undefined where there is nothing. Rejects with NoMetadata off EC2. Bounded: 13 s. */
  async read(path: string, signal?: AbortSignal): Promise<string | undefined> {
    let trouble: unknown // what a service that is there said: silence after it does not mean that there is none
    for (let tryCount = 1; ; tryCount++) {
      try {
        const { status, text } = await this.#get(path, signal)
        if (status === 200) return text
        if (status === 404) return undefined
        // The service forgets its tokens when the VM is stopped and started again.
        if (status === 401) this.#token = undefined
        throw new Error(`The metadata service at ${this.#base} answered ${status} to ${path}.`)
      } catch (error) {
        if (!(error instanceof NoMetadata)) trouble = error
        const mostTries = trouble === undefined ? TRIES : TROUBLED_TRIES
        if (tryCount >= mostTries || this.#disabled || signal?.aborted) throw trouble ?? error
        await systemClock.sleep(Math.min(RETRY_MS * 2 ** (tryCount - 1), LONGEST_RETRY_MS), signal)
      }
    }
  }

  /** True from the first token on: a VM stays one, even if its metadata service fails later. */
  get answered(): boolean {
    return this.#answered
  }

  async #get(path: string, signal: AbortSignal | undefined): Promise<Answer> {
    const token = await this.#freshToken(signal)
    return this.#request('GET', path, { 'x-aws-ec2-metadata-token': token }, signal)
  }

  async #freshToken(signal: AbortSignal | undefined): Promise<string> {
    if (this.#token !== undefined && systemClock.now() < this.#token.refreshAtMs) return this.#token.text
    const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': String(TOKEN_TTL_SECONDS) }
    const { status, text } = await this.#request('PUT', 'api/token', ttl, signal)
    if (status >= 500) throw new Error(`The metadata service at ${this.#base} answered ${status} to a token's request.`)
    if (status !== 200) throw new NoMetadata(`${this.#base} gave no metadata token: it answered ${status}.`)
    this.#answered = true
    this.#token = { text, refreshAtMs: systemClock.now() + TOKEN_TTL_SECONDS * TOKEN_REFRESH_AT * 1000 }
    return text
  }

  async #request(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<Answer> {
    if (this.#disabled) throw new NoMetadata('AWS_EC2_METADATA_DISABLED is set.')
    try {
      const limit = AbortSignal.timeout(REQUEST_MS)
      const response = await fetch(`${this.#base}/latest/${path}`, {
        method,
        headers,
        redirect: 'error',
        signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      })
      return { status: response.status, text: await response.text() }
    } catch (error) {
      // In a container of a VM whose hop limit is 1, the answer never arrives: that looks the same.
      throw new NoMetadata(`No metadata service answers at ${this.#base}: ${messageOf(error)}`, { cause: error })
    }
  }
}

interface Answer {
  readonly status: number
  readonly text: string
}
