// The metadata server of a Compute Engine VM: plain paths, and waiting for a value to change. Knows what answered, not what it
// means.
import { systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { ProviderSettings } from '../open-provider.ts'

const DEFAULT_HOST = '169.254.169.254' // by name it would depend on the resolver
const REQUEST_MS = 1_000 // it answers within milliseconds, or nothing is there
const TRIES = 3
const RETRY_MS = 250

/** Nothing answers, or not as the server of a VM would: this is no Compute Engine VM. */
export class NoMetadata extends Error {
  override readonly name = 'NoMetadata'
}

export interface MetadataValue {
  /** undefined where there is nothing. */
  readonly text: string | undefined
  /** Names this version of the value. */
  readonly etag: string | undefined
}

export class InstanceMetadata {
  readonly #base: string
  readonly #disabled: boolean
  #answered = false

  constructor({ env }: Pick<ProviderSettings, 'env'>) {
    const host = env.GCE_METADATA_HOST || env.GCE_METADATA_IP || DEFAULT_HOST
    this.#base = `${host.includes('://') ? host : `http://${host}`}`.replace(/\/+$/, '')
    this.#disabled = env.METADATA_SERVER_DETECTION?.toLowerCase() === 'none'
  }

  /** True from the first answer on: a VM stays one, even if its metadata server fails later. */
  get answered(): boolean {
    return this.#answered
  }

  /** What is at `path` under `computeMetadata/v1/`. Rejects with NoMetadata off Compute Engine. Bounded: 4 s. */
  async read(path: string, signal?: AbortSignal): Promise<MetadataValue> {
    for (let triesLeft = TRIES - 1; ; triesLeft--) {
      try {
        return await this.#get(path, REQUEST_MS, signal)
      } catch (error) {
        if (triesLeft === 0 || this.#disabled || signal?.aborted) throw error
        await systemClock.sleep(RETRY_MS, signal)
      }
    }
  }

  /** Answers as soon as the value is another than that of `etag`, or after `waitSeconds` as it is. */
  async readChange(
    path: string,
    etag: string | undefined,
    waitSeconds: number,
    signal: AbortSignal,
  ): Promise<MetadataValue> {
    const query = new URLSearchParams({ wait_for_change: 'true', timeout_sec: String(waitSeconds) })
    if (etag !== undefined) query.set('last_etag', etag)
    return this.#get(`${path}?${query}`, waitSeconds * 1000 + REQUEST_MS * 5, signal)
  }

  async #get(path: string, limitMs: number, signal: AbortSignal | undefined): Promise<MetadataValue> {
    if (this.#disabled) throw new NoMetadata('METADATA_SERVER_DETECTION is none.')
    const { response, text } = await this.#request(path, limitMs, signal)
    const { status, headers } = response
    if (headers.get('metadata-flavor') !== 'Google') throw new NoMetadata(`${this.#base} is no metadata server.`)
    this.#answered = true
    if (status === 404) return { text: undefined, etag: undefined }
    if (status !== 200) throw new Error(`The metadata server at ${this.#base} answered ${status} to ${path}.`)
    return { text, etag: headers.get('etag') ?? undefined }
  }

  async #request(path: string, limitMs: number, signal: AbortSignal | undefined) {
    try {
      const limit = AbortSignal.timeout(limitMs)
      const response = await fetch(`${this.#base}/computeMetadata/v1/${path}`, {
        headers: { 'metadata-flavor': 'Google' },
        redirect: 'error',
        signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      })
      return { response, text: await response.text() }
    } catch (error) {
      throw new NoMetadata(`No metadata server answers at ${this.#base}: ${messageOf(error)}`, { cause: error })
    }
  }
}
