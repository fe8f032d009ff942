// How every AWS adapter reaches its service: region, credentials, endpoint, time-outs, retries. Knows no service in particular.
import { UserError } from '../../core/errors.ts'
import type { ProviderSettings } from '../open-provider.ts'
import { awsRegion } from './region.ts'

/** As in the SDK's own variables `AWS_ENDPOINT_URL_<SERVICE>`. */
export type AwsService =
  | 'CLOUDFORMATION'
  | 'CLOUDWATCH'
  | 'DYNAMODB'
  | 'EC2'
  | 'IAM'
  | 'LAMBDA'
  | 'PRICING'
  | 'S3'
  | 'SERVICE_QUOTAS'
  | 'SQS'
  | 'SSM'
  | 'STS'

/** Fits the constructor of every client of the SDK. */
export interface AwsClientConfig {
  readonly region: string
  /** Absent: the SDK's own chain (environment, profile, SSO, container, VM role), which also refreshes them. */
  readonly credentials?: AwsCredentials
  readonly endpoint?: string
  readonly maxAttempts: number
  readonly retryMode: 'standard'
  readonly requestHandler: {
    readonly connectionTimeout: number
    readonly requestTimeout: number
    readonly throwOnRequestTimeout: true
    readonly socketTimeout: number
    readonly httpAgent: AgentSettings
    readonly httpsAgent: AgentSettings
  }
}

interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

interface AgentSettings {
  readonly keepAlive: true
  readonly maxSockets: number
}

const MAX_ATTEMPTS = 6 // 50, 100, 200 … ms apart with jitter; throttled ones 1, 2, 4 … s apart (the SDK's standard mode)
const MAX_SOCKETS = 200 // a batch of 1,000 messages is 100 requests at once
const CONNECT_MS = 5_000
const DEFAULT_ANSWER_SECONDS = 20 // to the first byte of an answer: a megabyte over a slow line takes a while
const LEAST_IDLE_MS = 30_000 // of a connection in the middle of an answer; a long poll is silent for 20 s

/** Makes no request. Throws a UserError where the region is not known, or a setting cannot be right. */
export function awsClientConfig(
  settings: ProviderSettings,
  service: AwsService,
  { region }: { readonly region?: string } = {},
): AwsClientConfig {
  const credentials = staticCredentials(settings)
  const endpoint = awsEndpoint(settings, service)
  const answerMs = answerSeconds(settings) * 1000
  const agent: AgentSettings = { keepAlive: true, maxSockets: MAX_SOCKETS }
  return {
    region: region ?? awsRegion(settings),
    ...(credentials && { credentials }),
    ...(endpoint && { endpoint }),
    maxAttempts: MAX_ATTEMPTS,
    retryMode: 'standard',
    requestHandler: {
      connectionTimeout: Math.min(CONNECT_MS, answerMs),
      requestTimeout: answerMs,
      throwOnRequestTimeout: true,
      socketTimeout: Math.max(LEAST_IDLE_MS, answerMs),
      httpAgent: agent,
      httpsAgent: agent,
    },
  }
}

/** Instead of the service's own address: private endpoints, emulators. undefined = the service's own. */
export function awsEndpoint({ env }: ProviderSettings, service: AwsService): string | undefined {
  for (const name of [`AWS_ENDPOINT_URL_${service}`, 'AWS_ENDPOINT_URL']) {
    const url = env[name]?.trim()
    if (!url) continue
    if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
      throw new UserError(`${name} is "${url}", which is not a URL. Give it as https://host or http://host:port.`)
    }
    return url
  }
  return undefined
}

/** From the job file or the given environment. A named profile is the SDK's to read, and goes before plain variables. */
function staticCredentials({ accessKey, secretKey, env }: ProviderSettings): AwsCredentials | undefined {
  if (accessKey !== undefined && secretKey !== undefined) {
    return { accessKeyId: accessKey, secretAccessKey: secretKey }
  }
  if (accessKey !== undefined || secretKey !== undefined) {
    const [given, missing] = accessKey === undefined ? ['secret_key', 'access_key'] : ['access_key', 'secret_key']
    throw new UserError(
      `"${given}" is set but "${missing}" is not: set both, or neither to use the machine's own AWS credentials.`,
    )
  }
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token, AWS_PROFILE: profile } = env
  if (!id || !secret || profile) return undefined
  return { accessKeyId: id, secretAccessKey: secret, ...(token && { sessionToken: token }) }
}

function answerSeconds({ env }: ProviderSettings): number {
  const text = env.CLOUD_TASKS_AWS_TIMEOUT_SECONDS
  if (!text) return DEFAULT_ANSWER_SECONDS
  const seconds = Number(text)
  if (seconds > 0 && Number.isFinite(seconds)) return seconds
  throw new UserError(`CLOUD_TASKS_AWS_TIMEOUT_SECONDS is "${text}": it must be a number of seconds above 0.`)
}
