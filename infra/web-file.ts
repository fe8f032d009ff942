// Reads what is behind an http or https address, for the object store of any cloud. Knows no cloud.
import { type Clock, systemClock } from '../core/clock.ts'
import { messageOf, UserError } from '../core/errors.ts'
import { readResumed } from './resumed-read.ts'

const CONNECT_MS = 30_000

export function isWebUrl(url: string): boolean {
  return /^https?:/i.test(url)
}

/** Chunks as they arrive; goes on after a broken connection where the server can. Rejects with a UserError that names the address. */
export function readWeb(url: string, { clock }: { readonly clock?: Clock } = {}): AsyncGenerator<Uint8Array> {
  let version: string | undefined
  return readResumed({
    async open(fromByte) {
      const response = fromByte === 0 ? await openWhole(url) : await openRest(url, fromByte, version)
      version = versionOf(response)
      return { bytes: response.body ?? noBytes(), endByte: endOf(response, fromByte) }
    },
    failure: error => unreadable(url, error),
    ...(clock && { clock }),
  })
}

async function openWhole(url: string): Promise<Response> {
  const response = await connect(url, {})
  if (response.ok) return response
  throw new UserError(`${url} answered ${`${response.status} ${response.statusText}`.trim()}.`)
}

/** Without a name for what was read so far, other content could be glued to it. */
async function openRest(url: string, fromByte: number, version: string | undefined): Promise<Response> {
  if (version !== undefined) {
    const response = await connect(url, { range: `bytes=${fromByte}-`, 'if-range': version })
    if (response.headers.get('content-range')?.startsWith(`bytes ${fromByte}-`)) return response
    await response.body?.cancel()
  }
  throw new UserError(`${url} broke off at byte ${fromByte}, and the server cannot go on from there. Start again.`)
}

/** Bounds the wait for the answer's head, not the time its bytes take. */
async function connect(url: string, headers: Readonly<Record<string, string>>): Promise<Response> {
  const connecting = new AbortController()
  const answered = new AbortController()
  const bound = systemClock.sleep(CONNECT_MS, answered.signal).then(() => {
    if (!answered.signal.aborted) connecting.abort(new Error(`no answer within ${CONNECT_MS / 1000} s`))
  })
  try {
    return await fetch(url, { headers: { 'accept-encoding': 'identity', ...headers }, signal: connecting.signal })
  } catch (error) {
    throw unreadable(url, error)
  } finally {
    answered.abort()
    await bound
  }
}

/** Where the server packs its answer, its lengths and ranges are those of other bytes than we get. */
function packed({ headers }: Response): boolean {
  return ![null, '', 'identity'].includes(headers.get('content-encoding'))
}

function endOf(response: Response, fromByte: number): number | undefined {
  const length = response.headers.get('content-length')
  return length === null || packed(response) ? undefined : fromByte + Number(length)
}

function versionOf(response: Response): string | undefined {
  if (packed(response)) return undefined
  const etag = response.headers.get('etag')
  return etag !== null && !etag.startsWith('W/') ? etag : (response.headers.get('last-modified') ?? undefined)
}

async function* noBytes(): AsyncGenerator<Uint8Array> {}

function unreadable(url: string, error: unknown): UserError {
  if (error instanceof UserError) return error
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return new UserError(`${url} cannot be read: ${messageOf(cause)}.`, { cause: error })
}
