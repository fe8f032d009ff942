// Reads what is behind an http or https address, for the object store of any cloud. Knows no cloud.
import { systemClock } from '../core/clock.ts'
import { messageOf, UserError } from '../core/errors.ts'

const CONNECT_MS = 30_000

export function isWebUrl(url: string): boolean {
  return /^https?:/i.test(url)
}

/** Chunks as they arrive. Rejects with a UserError that names the address. */
export async function* readWeb(url: string): AsyncGenerator<Uint8Array> {
  const connecting = new AbortController()
  const answered = new AbortController()
  const bound = systemClock.sleep(CONNECT_MS, answered.signal).then(() => {
    if (!answered.signal.aborted) connecting.abort(new Error(`no answer within ${CONNECT_MS / 1000} s`))
  })
  try {
    const response = await fetch(url, { signal: connecting.signal })
    answered.abort()
    if (!response.ok) throw new UserError(`${url} answered ${response.status} ${response.statusText}.`)
    if (response.body !== null) yield* response.body
  } catch (error) {
    if (error instanceof UserError) throw error
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    throw new UserError(`${url} cannot be read: ${messageOf(cause)}.`, { cause: error })
  } finally {
    answered.abort()
    await bound
  }
}
