// Google's REST APIs over fetch: a token, a bound, repetition of what passes alone, all pages. Knows no API in particular.
import { systemClock } from '../../core/clock.ts'
import { type GcpApi, type GcpConnection, gcpAddress } from './connection.ts'
import { GcpError, passesAlone } from './failure.ts'
import { type Json, listOf, objectOf, textOf } from './rest-json.ts'

export { type Json, listOf, objectOf, textOf }

export interface GcpRequest {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: Json
  readonly signal?: AbortSignal | undefined
  /** True if the API takes a second such request for the first. Default: all but POST. */
  readonly repeatable?: boolean
}

export interface GcpRestOptions {
  /** Before the first repetition; doubled each time. */
  readonly pauseMs?: number
  readonly timeoutMs?: number
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

const TRIES = 6 // about 15 s in all: longer outages are the caller's to sit out
const FIRST_PAUSE_MS = 500
const MOST_PAUSE_MS = 15_000 // also of what an API asks for itself
const REQUEST_MS = 30_000
const NO_JSON = { status: 502, reason: '' }

export class GcpRest {
  readonly #connection: GcpConnection
  readonly #base: string
  readonly #pauseMs: number
  readonly #timeoutMs: number

  constructor(
    connection: GcpConnection,
    api: GcpApi,
    { pauseMs = FIRST_PAUSE_MS, timeoutMs = REQUEST_MS }: GcpRestOptions = {},
  ) {
    this.#connection = connection
    this.#base = gcpAddress(connection.settings, api)
    this.#pauseMs = pauseMs
    this.#timeoutMs = timeoutMs
  }

  /** `path` begins with a slash. Rejects with a GcpError for a refusal: callers make it a sentence by `gcpFailure`. */
  async request(method: Method, path: string, request: GcpRequest = {}): Promise<Json> {
    const { repeatable = method !== 'POST', signal } = request
    for (let tryNumber = 1; ; tryNumber++) {
      try {
        return await this.#once(method, path, request)
      } catch (error) {
        const again = passesAlone(error) && (repeatable || neverArrived(error))
        if (!again || tryNumber === TRIES || signal?.aborted) throw error
        await systemClock.sleep(this.#pause(tryNumber, error), signal)
      }
    }
  }

  /** Every page of a listing, each as the API answered it. */
  async *pages(path: string, request: Omit<GcpRequest, 'body'> = {}): AsyncGenerator<Json> {
    let pageToken: string | undefined
    do {
      const page = await this.request('GET', path, { ...request, query: { ...request.query, pageToken } })
      yield page
      pageToken = typeof page.nextPageToken === 'string' && page.nextPageToken !== '' ? page.nextPageToken : undefined
    } while (pageToken !== undefined)
  }

  async #once(method: Method, path: string, { query = {}, body, signal }: GcpRequest): Promise<Json> {
    const url = new URL(`${this.#base}${path}`)
    for (const [key, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(key, String(value))
    const token = await this.#connection.accessToken(this.#base)
    const limit = AbortSignal.timeout(this.#timeoutMs)
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    })
    const text = await response.text()
    if (!response.ok) throw refusal(response, text)
    const answer = parseAnswer(text)
    // Something in between: taken for an empty answer, it would mean that nothing is there.
    if (answer === undefined) throw new GcpError(`${url.host} answered with what is no JSON`, NO_JSON)
    return answer
  }

  /** Any time up to the full one, so that many who failed at once do not come back at once. */
  #pause(tryNumber: number, error: unknown): number {
    const asked = error instanceof Refusal ? error.retryAfterMs : 0
    const pauseMs = this.#pauseMs * 2 ** (tryNumber - 1)
    return Math.min(MOST_PAUSE_MS, asked + pauseMs * (0.5 + Math.random() / 2))
  }
}

class Refusal extends GcpError {
  readonly retryAfterMs: number

  constructor(message: string, facts: { status: number; reason: string; retryAfterMs: number }) {
    super(message, facts)
    this.retryAfterMs = facts.retryAfterMs
  }
}

/** Refused at the door, or nobody was there: the request did nothing. */
function neverArrived(error: unknown): boolean {
  if (error instanceof GcpError) return error.status === 429 || error.status === 403
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'].includes(String(code))
}

/** Google's error document: https://cloud.google.com/apis/design/errors#http_mapping, with the older list of `errors` in it. */
function refusal(response: Response, text: string): Refusal {
  const { status, statusText, headers } = response
  const answer = parseAnswer(text)
  const error = objectOf(answer?.error)
  const infos = [...listOf(error.details), ...listOf(error.errors)].map(objectOf)
  const reason = infos.map(info => info.reason).find(value => typeof value === 'string')
  // From something in between there may come a page.
  const words = answer === undefined ? text.replaceAll(/<[^>]*>/g, ' ').trim() : textOf(error.message)
  const seconds = Number(headers.get('retry-after'))
  return new Refusal(words || `HTTP ${status} ${statusText}`, {
    status,
    reason: typeof reason === 'string' ? reason : '',
    retryAfterMs: seconds > 0 ? seconds * 1000 : 0,
  })
}

/** A proxy in between may answer in HTML. */
function parseAnswer(text: string): Json | undefined {
  try {
    return objectOf(JSON.parse(text || '{}'))
  } catch {
    return undefined
  }
}
