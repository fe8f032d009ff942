// How every GCP adapter reaches its API: project, credentials, address. Knows no API in particular.
import type { AuthClient, GoogleAuth } from 'google-auth-library'
import { systemClock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import type { ProviderSettings } from '../open-provider.ts'
import { type CredentialsFile, clientOf, projectOf, readCredentialsFile } from './credentials-file.ts'

const ADDRESSES = {
  BILLING: 'https://cloudbilling.googleapis.com',
  COMPUTE: 'https://compute.googleapis.com',
  FIRESTORE: 'https://firestore.googleapis.com',
  IAM: 'https://iam.googleapis.com',
  LOGGING: 'https://logging.googleapis.com',
  MONITORING: 'https://monitoring.googleapis.com',
  PUBSUB: 'https://pubsub.googleapis.com',
  RESOURCE_MANAGER: 'https://cloudresourcemanager.googleapis.com',
  RUN: 'https://run.googleapis.com',
  SCHEDULER: 'https://cloudscheduler.googleapis.com',
  SECRET_MANAGER: 'https://secretmanager.googleapis.com',
  SERVICE_USAGE: 'https://serviceusage.googleapis.com',
  STORAGE: 'https://storage.googleapis.com',
} as const

export type GcpApi = keyof typeof ADDRESSES

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const TOKEN_MS = 30_000 // to get one: a metadata server that is just starting, or a slow proxy
const EMULATOR_TOKEN = 'emulator'

/** Without a slash at its end. `CLOUD_TASKS_GCP_<API>_URL` replaces it: private endpoints, emulators. */
export function gcpAddress({ env }: Pick<ProviderSettings, 'env'>, api: GcpApi): string {
  const name = `CLOUD_TASKS_GCP_${api}_URL`
  const url = (env[name] ?? (api === 'STORAGE' ? storageEmulator(env) : undefined))?.trim().replace(/\/+$/, '')
  if (!url) return ADDRESSES[api]
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new UserError(`${name} is "${url}", which is not a URL. Give it as https://host or http://host:port.`)
  }
  return url
}

/** Google's own variable, which may go without `http://`. */
function storageEmulator({ STORAGE_EMULATOR_HOST: host }: ProviderSettings['env']): string | undefined {
  return !host || host.includes('://') ? host : `http://${host}`
}

/** Shared by the parts of one provider. Makes no request, and loads no SDK, before it is asked for something. */
export class GcpConnection {
  readonly settings: ProviderSettings
  #client: Promise<AuthClient> | undefined
  #projectId: Promise<string> | undefined

  constructor(settings: ProviderSettings) {
    this.settings = settings
  }

  /** Rejects with a UserError where nobody says. */
  projectId(): Promise<string> {
    this.#projectId ??= this.#findProjectId()
    return this.#projectId
  }

  /** For a request to `url`. Credentials never travel in the clear: over http, which only emulators speak, goes a made-up one. */
  async accessToken(url: string): Promise<string> {
    const given = this.settings.env.GOOGLE_OAUTH_ACCESS_TOKEN
    if (given) return given
    if (url.startsWith('http:')) return EMULATOR_TOKEN
    const client = await this.authClient()
    const { token } = await bounded(client.getAccessToken(), 'Google gave no access token')
    if (!token) throw new UserError('The Google credentials gave no access token. Check credentials_file.')
    return token
  }

  /** For a Google SDK. Refreshes its tokens itself; acts as `runner_service_account` where one is set. */
  authClient(): Promise<AuthClient> {
    this.#client ??= this.#makeClient()
    this.#client.catch(() => {
      this.#client = undefined // credentials may be mended while we run
    })
    return this.#client
  }

  async #makeClient(): Promise<AuthClient> {
    const file = this.#file()
    const sourceClient = await bounded(
      file === undefined ? (await this.#defaults()).getClient() : clientOf(file, [SCOPE]),
      'Google credentials were not found',
    )
    const { runnerServiceAccount } = this.settings
    if (!runnerServiceAccount) return sourceClient
    const { Impersonated } = await import('google-auth-library')
    return new Impersonated({ sourceClient, targetPrincipal: runnerServiceAccount, targetScopes: [SCOPE] })
  }

  async #findProjectId(): Promise<string> {
    const { projectId, env } = this.settings
    const known = projectId || env.GOOGLE_CLOUD_PROJECT || env.GCLOUD_PROJECT || env.CLOUDSDK_CORE_PROJECT
    if (known) return known
    try {
      const file = this.#file()
      const project = file && projectOf(file)
      return project ?? (await bounded((await this.#defaults()).getProjectId(), 'no default project was found'))
    } catch (cause) {
      this.#projectId = undefined
      throw new UserError(
        'The Google Cloud project is not known: set "project_id" in the gcp section of the job file, --project-id, or GOOGLE_CLOUD_PROJECT.',
        { cause },
      )
    }
  }

  /** undefined = those of this machine, which the SDK finds in many places. */
  #file(): CredentialsFile | undefined {
    const path = this.settings.credentialsFile || this.settings.env.GOOGLE_APPLICATION_CREDENTIALS
    if (!path || (!this.settings.credentialsFile && path === process.env.GOOGLE_APPLICATION_CREDENTIALS))
      return undefined
    return readCredentialsFile(path)
  }

  async #defaults(): Promise<GoogleAuth> {
    const { GoogleAuth } = await import('google-auth-library')
    return new GoogleAuth({ scopes: [SCOPE] })
  }
}

/** The library itself waits as long as it takes. */
async function bounded<Value>(work: Promise<Value>, otherwise: string): Promise<Value> {
  const done = new AbortController()
  const tooLate = systemClock.sleep(TOKEN_MS, done.signal).then(() => {
    if (done.signal.aborted) return work
    throw new UserError(`${otherwise} within ${TOKEN_MS / 1000} s. Check the network and the credentials.`)
  })
  try {
    return await Promise.race([work, tooLate])
  } finally {
    done.abort()
    tooLate.catch(() => {})
  }
}
