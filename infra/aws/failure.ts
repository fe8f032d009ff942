// Turns an error of the AWS SDK into one sentence: what happened, where, what to do next. SDK errors never leave an adapter raw.
import { assertNever } from '../../core/assert-never.ts'
import { codeOf, messageOf, UserError } from '../../core/errors.ts'
import { capitalised, NETWORK_CODES, saidWords, UNRESOLVED_CODES } from '../failure-words.ts'

type AwsFailureKind =
  | 'no_credentials'
  | 'expired'
  | 'bad_credentials'
  | 'denied'
  | 'clock'
  | 'throttled'
  | 'quota'
  | 'unresolved'
  | 'network'
  | 'server'
  | 'other'

export interface AwsContext {
  /** What was being done, as in `sending to queue "x"`. */
  readonly doing: string
  readonly region?: string | undefined
}

/** An `Error` with one sentence; a `UserError` where it is the user's to mend. What is already a `UserError` stays itself. */
export function awsFailure(error: unknown, context: AwsContext): Error {
  if (error instanceof UserError) return error
  const kind = awsFailureKind(error)
  const where = context.region === undefined ? '' : ` in ${context.region}`
  const message = `${capitalised(context.doing)}${where} failed: ${reasonOf(kind, error)}`
  if (kind === 'other' || kind === 'server') return new Error(message, { cause: error })
  return new UserError(message, { cause: error })
}

export function awsFailureKind(error: unknown): AwsFailureKind {
  const code = awsErrorCode(error)
  const status = httpStatusOf(error)
  if (code === 'CredentialsProviderError' || code === 'TokenProviderError') {
    return /expired/i.test(messageOf(error)) ? 'expired' : 'no_credentials'
  }
  for (const [kind, codes] of CODES) if (codes.has(code)) return kind
  if (status === 429) return 'throttled'
  const system = codeOf(error)
  if (system !== undefined && UNRESOLVED_CODES.has(system)) return 'unresolved'
  if (code === 'TimeoutError' || (system !== undefined && NETWORK_CODES.has(system))) return 'network'
  if (status !== undefined && status >= 500) return 'server'
  if (status === 401 || status === 403) return 'denied'
  return 'other'
}

/** True where the same request may succeed a little later: throttling, a server's fault, the network. */
export function passesAlone(error: unknown): boolean {
  return ['throttled', 'server', 'network', 'unresolved'].includes(awsFailureKind(error))
}

/** The service's own code, such as `InsufficientInstanceCapacity`; `''` for what is no error of the SDK. */
export function awsErrorCode(error: unknown): string {
  if (!(error instanceof Error)) return ''
  // Some old query services write `AWS.SimpleQueueService.NonExistentQueue` or `Client.UnauthorizedOperation`.
  return error.name.replace(/^(AWS\.SimpleQueueService|Client|Server)\./, '')
}

function reasonOf(kind: AwsFailureKind, error: unknown): string {
  const said = saidBy(error)
  switch (kind) {
    case 'no_credentials':
      return (
        `no AWS credentials were found (${said}). ` +
        'Run "aws configure" or "aws sso login" (for the profile of AWS_PROFILE, if it is set), set AWS_ACCESS_KEY_ID ' +
        'and AWS_SECRET_ACCESS_KEY, or put access_key and secret_key into the job file.'
      )
    case 'expired':
      return 'the AWS credentials have expired. Renew them ("aws sso login" or a new session token) and start again.'
    case 'bad_credentials':
      return `AWS does not accept the credentials (${said}). Check the access key and secret key, and that the region is enabled for the account.`
    case 'denied':
      return `AWS denied ${deniedAction(error) ?? 'it'} (${said}). Allow it in a policy of the user or role, or use other credentials.`
    case 'clock':
      return `the clock of this machine is wrong (${said}). Set it and start again.`
    case 'throttled':
      return `AWS keeps throttling the requests (${said}). Try again later, or with fewer programs at once.`
    case 'quota':
      return `a quota of the AWS account is used up (${said}). Free some, or ask for more in the Service Quotas console.`
    case 'unresolved':
      return `the address of the AWS service does not resolve (${said}). Check the region, AWS_ENDPOINT_URL and the network.`
    case 'network':
      return `the AWS service did not answer (${said}). Check the network, a proxy or firewall, and AWS_ENDPOINT_URL.`
    case 'server':
      return `AWS had an internal error (${said}). Try again later.`
    case 'other':
      return `${said}.`
    default:
      return assertNever(kind)
  }
}

// https://docs.aws.amazon.com/general/latest/gr/CommonErrors.html and the services' own lists.
const CODES: readonly (readonly [AwsFailureKind, ReadonlySet<string>])[] = [
  ['expired', new Set(['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'])],
  [
    'bad_credentials',
    new Set([
      'AuthFailure',
      'InvalidAccessKeyId',
      'InvalidClientTokenId',
      'InvalidSignatureException',
      'InvalidToken',
      'MissingAuthenticationToken',
      'MissingAuthenticationTokenException',
      'OptInRequired',
      'SignatureDoesNotMatch',
      'UnrecognizedClientException',
    ]),
  ],
  [
    'denied',
    new Set([
      'AccessDenied',
      'AccessDeniedException',
      'AuthorizationError',
      'AuthorizationErrorException',
      'KmsAccessDenied',
      'NotAuthorized',
      'UnauthorizedAccess',
      'UnauthorizedException',
      'UnauthorizedOperation',
    ]),
  ],
  ['clock', new Set(['RequestExpired', 'RequestInTheFuture', 'RequestTimeTooSkewed'])],
  [
    'throttled',
    new Set([
      'BandwidthLimitExceeded',
      'EC2ThrottledException',
      'KmsThrottled',
      'PriorRequestNotComplete',
      'ProvisionedThroughputExceededException',
      'RequestLimitExceeded',
      'RequestThrottled',
      'RequestThrottledException',
      'SlowDown',
      'ThrottledException',
      'Throttling',
      'ThrottlingException',
      'TooManyRequestsException',
    ]),
  ],
  [
    'quota',
    new Set([
      'AddressLimitExceeded',
      'InstanceLimitExceeded',
      'LimitExceeded',
      'LimitExceededException',
      'MaxSpotInstanceCountExceeded',
      'OverLimit',
      'ResourceLimitExceeded',
      'ServiceQuotaExceededException',
      'TooManyBuckets',
      'VcpuLimitExceeded',
      'VpcLimitExceeded',
    ]),
  ],
  ['server', new Set(['InternalError', 'InternalFailure', 'InternalServerError', 'ServiceUnavailable'])],
]
function saidBy(error: unknown): string {
  const words = messageOf(error)
    .replace(/\s*Encoded authorization failure message: \S+/, '')
    .replace(/^@smithy\/node-http-handler - (\[ERROR\] )?/, '')
  const code = awsErrorCode(error)
  const general = /^(Error|TimeoutError|AggregateError|CredentialsProviderError|UnknownError)$/.test(code)
  return saidWords(words, general ? '' : code)
}

/** `… is not authorized to perform: sqs:sendmessage on resource: arn:aws:sqs:…` */
function deniedAction(error: unknown): string | undefined {
  return /not authorized to perform:? ([\w-]+:\w+)/i.exec(messageOf(error))?.[1]
}

function httpStatusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  const metadata = error.$metadata
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}
