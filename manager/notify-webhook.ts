// Posts a notification to a webhook, with a few tries. What it says of a failure holds nothing secret of the address.
import type { Clock } from '../core/clock.ts'
import { codeOf } from '../core/errors.ts'
import type { Notification } from './notify.ts'

const TRY_COUNT = 3
const TRY_MS = 5000
const FIRST_PAUSE_MS = 1000

export interface PostOptions {
  readonly signal: AbortSignal
  readonly clock: Clock
}

/** undefined = it was taken; else why not. */
export async function postWebhook(
  address: string,
  notification: Notification,
  { signal, clock }: PostOptions,
): Promise<string | undefined> {
  const request = requestOf(address)
  if (request === undefined) return 'it is not a web address'
  const body = JSON.stringify(notification)
  let problem = ''
  for (let attempt = 0; attempt < TRY_COUNT && !signal.aborted; attempt++) {
    if (attempt > 0) await clock.sleep(FIRST_PAUSE_MS * 3 ** (attempt - 1), signal)
    const answer = await post(request, body, notification.id, signal)
    if (answer === undefined) return undefined
    problem = answer.problem
    if (!answer.retryable) break
  }
  return problem || 'there was no time for it'
}

/** All of an address that may be shown: paths, queries and passwords are often secret. */
export function originOf(address: string): string {
  return URL.canParse(address) ? new URL(address).origin : 'the webhook'
}

interface WebRequest {
  readonly url: string
  readonly authorization: string | undefined
}

/** A name and password in the address become a header: fetch refuses them, and names them in its message. */
function requestOf(address: string): WebRequest | undefined {
  if (!URL.canParse(address)) return undefined
  const url = new URL(address)
  const { username, password } = url
  url.username = url.password = ''
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return {
    url: url.href,
    authorization: pair === ':' ? undefined : `Basic ${Buffer.from(pair).toString('base64')}`,
  }
}

interface Refusal {
  readonly problem: string
  readonly retryable: boolean
}

async function post(
  { url, authorization }: WebRequest,
  body: string,
  id: string,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        'idempotency-key': id,
        'user-agent': 'cloud-tasks',
        ...(authorization === undefined ? undefined : { authorization }),
      },
      signal: AbortSignal.any([signal, AbortSignal.timeout(TRY_MS)]),
    })
    await response.body?.cancel()
    if (response.ok) return undefined
    const { status } = response
    return { problem: `it answered ${status}`, retryable: status >= 500 || status === 408 || status === 429 }
  } catch (error) {
    // Its message may hold the address.
    const timedOut = error instanceof Error && error.name === 'TimeoutError'
    const code = error instanceof Error ? (codeOf(error.cause) ?? error.name) : 'unknown error'
    return { problem: timedOut ? `no answer within ${TRY_MS / 1000} s` : `no connection (${code})`, retryable: true }
  }
}
