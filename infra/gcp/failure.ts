// Turns an error of a Google API, its SDKs or its credentials into one sentence: what happened, where, what to do next. Raw
// errors never leave an adapter.
import { assertNever } from '../../core/assert-never.ts'
import { codeOf, messageOf, UserError } from '../../core/errors.ts'
import { capitalised, NETWORK_CODES, saidWords, UNRESOLVED_CODES } from '../failure-words.ts'

type GcpFailureKind =
  | 'no_credentials'
  | 'expired'
  | 'bad_credentials'
  | 'denied'
  | 'disabled'
  | 'billing'
  | 'project'
  | 'not_found'
  | 'throttled'
  | 'quota'
  | 'unresolved'
  | 'network'
  | 'server'
  | 'other'

export interface GcpContext {
  /** What was being done, as in `sending to queue "x"`. */
  readonly doing: string
  readonly projectId?: string | undefined
}

export interface GcpErrorFacts {
  /** HTTP status. */
  readonly status: number
  /** The API's own word, such as `quotaExceeded` or `SERVICE_DISABLED`; `''` where it gives none. */
  readonly reason: string
}

/** What an API answered over REST instead of what was asked for. */
export class GcpError extends Error {
  override readonly name = 'GcpError'
  readonly status: number
  readonly reason: string

  constructor(message: string, { status, reason }: GcpErrorFacts) {
    super(message)
    this.status = status
    this.reason = reason
  }
}

/** An `Error` with one sentence; a `UserError` where it is the user's to mend. What is already a `UserError` stays itself. */
export function gcpFailure(error: unknown, context: GcpContext): Error {
  if (error instanceof UserError) return error
  const kind = gcpFailureKind(error)
  const where = context.projectId === undefined ? '' : ` in project ${context.projectId}`
  const message = `${capitalised(context.doing)}${where} failed: ${sentenceOf(kind, saidBy(error))}`
  if (kind === 'other' || kind === 'server') return new Error(message, { cause: error })
  return new UserError(message, { cause: error })
}

export function gcpFailureKind(error: unknown): GcpFailureKind {
  const message = messageOf(error)
  const reason = reasonOf(error)
  for (const [kind, pattern] of TOLD_BY_MESSAGE) if (pattern.test(message)) return kind
  for (const [kind, reasons] of REASONS) if (reasons.has(reason)) return kind
  const status = gcpStatus(error)
  const kind = status === undefined ? undefined : (KIND_BY_STATUS[status] ?? (status >= 500 ? 'server' : undefined))
  if (kind !== undefined) return kind
  const system = systemCodeOf(error)
  if (system !== undefined && UNRESOLVED_CODES.has(system)) return 'unresolved'
  if (system !== undefined && (NETWORK_CODES.has(system) || FETCH_CODES.has(system))) return 'network'
  if (error instanceof Error && (error.name === 'TimeoutError' || error.message === 'fetch failed')) return 'network'
  return 'other'
}

/** True where the same request may succeed a little later: throttling, a server's fault, the network. */
export function passesAlone(error: unknown): boolean {
  return ['throttled', 'server', 'network', 'unresolved'].includes(gcpFailureKind(error))
}

/** The HTTP status that an API answered with; that of the same meaning for gRPC. undefined where none answered. */
export function gcpStatus(error: unknown): number | undefined {
  if (error instanceof GcpError) return error.status
  if (!(error instanceof Error)) return undefined
  // An SDK over gRPC has a code of at most 16 there, one over HTTP the status, and Node a word.
  const code = 'code' in error ? Number(error.code) : Number.NaN
  if (Number.isInteger(code)) return code > GRPC_STATUS.length ? code : GRPC_STATUS[code]
  const status = 'status' in error ? Number(error.status) : Number.NaN
  return Number.isInteger(status) && status >= 100 ? status : undefined
}

/** By gRPC's number, the status that Google's REST APIs answer with: https://cloud.google.com/apis/design/errors */
const GRPC_STATUS = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]

const KIND_BY_STATUS: Readonly<Record<number, GcpFailureKind>> = {
  401: 'bad_credentials',
  403: 'denied',
  404: 'not_found',
  408: 'network',
  429: 'throttled',
  504: 'network',
}

const TOLD_BY_MESSAGE: readonly (readonly [GcpFailureKind, RegExp])[] = [
  // gRPC's own words, which come under the code of a service that is there and busy.
  ['unresolved', /^14 UNAVAILABLE: Name resolution failed/],
  ['network', /^14 UNAVAILABLE: No connection established|^4 DEADLINE_EXCEEDED: Deadline exceeded after/],
  [
    'no_credentials',
    /Could not load the default credentials|Unable to detect a Project Id|Unable to read the credential file/i,
  ],
  ['expired', /invalid_grant.*(expired|revoked)|(expired|revoked).*invalid_grant|invalid_rapt|reauth related error/i],
  [
    'bad_credentials',
    /invalid_grant|invalid_client|account_not_found|unauthorized_client|DECODER routines|PEM routines/i,
  ],
  [
    'project',
    /The resource 'projects\/[^/']+' was not found|Requested project not found|Unknown project id|Project '?[\w-]+'? (was )?not found|Failed to find project/i,
  ],
]

// https://cloud.google.com/compute/docs/troubleshooting/error-codes and google/api/error_reason.proto
const REASONS: readonly (readonly [GcpFailureKind, ReadonlySet<string>])[] = [
  ['disabled', new Set(['SERVICE_DISABLED', 'accessNotConfigured'])],
  ['billing', new Set(['BILLING_DISABLED', 'billingNotEnabled', 'accountDisabled'])],
  ['bad_credentials', new Set(['ACCESS_TOKEN_EXPIRED', 'CREDENTIALS_MISSING', 'authError', 'required.login'])],
  ['throttled', new Set(['RATE_LIMIT_EXCEEDED', 'rateLimitExceeded', 'userRateLimitExceeded'])],
  ['quota', new Set(['quotaExceeded', 'QUOTA_EXCEEDED', 'RESOURCE_QUOTA_EXCEEDED', 'limitExceeded'])],
]
/** Of Node's own client of HTTP. */
const FETCH_CODES = new Set([
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_SOCKET',
])

function sentenceOf(kind: GcpFailureKind, said: string): string {
  switch (kind) {
    case 'no_credentials':
      return (
        `no Google credentials were found (${said}). Run "gcloud auth application-default login", set ` +
        'GOOGLE_APPLICATION_CREDENTIALS, or put credentials_file into the gcp section of the job file.'
      )
    case 'expired':
      return 'the Google credentials have expired or were revoked. Renew them ("gcloud auth application-default login") and start again.'
    case 'bad_credentials':
      return `Google does not accept the credentials (${said}). Check credentials_file, or run "gcloud auth application-default login".`
    case 'denied':
      return `Google denied it (${said}). Give the account a role that allows it, or use other credentials.`
    case 'disabled':
      return `the API is not enabled (${said}). Enable it with "gcloud services enable" or at the address given, and wait a minute.`
    case 'billing':
      return `the project has no active billing account (${said}). Link one in the Google Cloud console.`
    case 'project':
      return `there is no such project, or the account may not see it (${said}). Check project_id and the credentials.`
    case 'not_found':
      return `it is not there (${said}). Check the names of the project, region and zone, and that the job is deployed.`
    case 'throttled':
      return `Google keeps throttling the requests (${said}). Try again later, or with fewer programs at once.`
    case 'quota':
      return `a quota of the project is used up (${said}). Free some, or ask for more on the console's Quotas page.`
    case 'unresolved':
      return `the address of the API does not resolve (${said}). Check the network and the address overrides of Google's APIs.`
    case 'network':
      return `the API did not answer (${said}). Check the network, a proxy or firewall, and the address overrides of Google's APIs.`
    case 'server':
      return `Google had an internal error (${said}). Try again later.`
    case 'other':
      return `${said}.`
    default:
      return assertNever(kind)
  }
}

function saidBy(error: unknown): string {
  const cause = error instanceof Error && error.message === 'fetch failed' ? error.cause : undefined
  const words = messageOf(cause ?? error).replace(/^\d+ [A-Z_]+: /, '') // gRPC's number and name
  return saidWords(words, reasonOf(error))
}

/** Of an answer over REST, of gRPC's error details, or of the first of Google's older list of errors. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  if ('reason' in error && typeof error.reason === 'string') return error.reason
  if (!('errors' in error) || !Array.isArray(error.errors)) return ''
  const [first]: unknown[] = error.errors
  if (typeof first !== 'object' || first === null || !('reason' in first)) return ''
  return typeof first.reason === 'string' ? first.reason : ''
}

/** `fetch` hides it in the cause. */
function systemCodeOf(error: unknown): string | undefined {
  return codeOf(error) ?? (error instanceof Error ? codeOf(error.cause) : undefined)
}
