// What a request is refused with: a status, a word for programs, a sentence for people.

export type FailureCode =
  | 'bad_request'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'no_task'
  | 'method_not_allowed'
  | 'not_claimed'
  | 'claim_expired'
  | 'already_ended'
  | 'already_exists'
  | 'too_large'
  | 'uri_too_long'
  | 'unsupported_encoding'
  | 'unavailable'
  | 'internal'

export class HttpFailure extends Error {
  override readonly name = 'HttpFailure'
  readonly status: number
  readonly code: FailureCode
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    code: FailureCode,
    message: string,
    { headers = {}, cause }: { readonly headers?: Readonly<Record<string, string>>; readonly cause?: unknown } = {},
  ) {
    super(message, { cause })
    this.status = status
    this.code = code
    this.headers = headers
  }
}

/** The queue or the state file does not answer: the same request can be sent again. */
export function unavailable(what: string, cause: unknown): HttpFailure {
  return new HttpFailure(503, 'unavailable', `${what} Send the request again.`, {
    headers: { 'retry-after': '1' },
    cause,
  })
}
