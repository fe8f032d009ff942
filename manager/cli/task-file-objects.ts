// Who reads a task file's URL: the cloud that its scheme names, which need not be the one that the job runs on.
import { messageOf, UserError } from '../../core/errors.ts'
import type { JobConfig } from '../../core/job-config.ts'
import { openProvider } from '../../infra/open-provider.ts'
import type { Objects, Provider, ProviderName } from '../../infra/provider.ts'
import type { Invocation } from './invocation.ts'
import { providerSettings } from './open-job.ts'

export interface TaskFileObjects {
  /** undefined: the file needs none. */
  readonly reader: Objects | undefined
  close(): Promise<void>
}

export interface TaskFileContext {
  readonly provider: Provider | undefined
  readonly config: JobConfig
  readonly invocation: Pick<Invocation, 'env' | 'terminal'>
}

/** Rejects with a UserError that names what is missing. */
export async function objectsFor(
  location: string,
  { provider, config, invocation }: TaskFileContext,
): Promise<TaskFileObjects> {
  const cloud = cloudOf(location)
  if (provider !== undefined && (cloud === undefined || cloud === provider.name)) {
    return { reader: provider.openObjects(), close: async () => {} }
  }
  if (cloud === undefined) return { reader: undefined, close: async () => {} }
  try {
    const other = await openProvider(cloud, providerSettings({ ...config, provider: cloud }, invocation))
    return { reader: other.openObjects(), close: () => other.close() }
  } catch (error) {
    throw new UserError(`Task file ${location} is read through the provider ${cloud}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

const SCHEMES: Readonly<Record<string, ProviderName>> = { s3: 'aws', gs: 'gcp', az: 'azure' }

/** undefined for a path, and for addresses that every provider can read. */
function cloudOf(location: string): ProviderName | undefined {
  const [, scheme = '', host = ''] = /^([a-z][a-z0-9+.-]+):\/\/([^/?#]*)/i.exec(location) ?? []
  // A signed address works without an account.
  if (/\.blob\.core\.windows\.net$/i.test(host)) return /[?&]sig=/.test(location) ? undefined : 'azure'
  return SCHEMES[scheme.toLowerCase()]
}
