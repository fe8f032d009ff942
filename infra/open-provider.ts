// Name → adapter. The only place that knows all clouds; an adapter and its SDK are loaded when its cloud is opened.
import { UserError } from '../core/errors.ts'
import type { Provider, ProviderName } from './provider.ts'
import type { Stack } from './stack.ts'

/** Settings as people give them in the job file or on the VM; each adapter reads its own. */
export interface ProviderSettings {
  readonly region?: string
  readonly zone?: string
  readonly projectId?: string
  readonly accessKey?: string
  readonly secretKey?: string
  readonly credentialsFile?: string
  /** What VMs run as. */
  readonly serviceAccount?: string
  /** What the manager acts as. */
  readonly runnerServiceAccount?: string
  readonly exactlyOnceQueue?: boolean
  /** Store of bundles, agents, and results too large for a message. */
  readonly bucket?: string
  /** The `local:` section of the job file. */
  readonly local?: LocalSettings
  /** Called with a sentence when something can be done only in part, such as prices that cannot be had. */
  readonly onWarning?: (text: string) => void
  /** Address overrides and what else the adapter reads from the environment. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/** What the local provider simulates. Absent = its default, which costs nothing and never fails. */
export interface LocalSettings {
  /** Folder of queues and VMs; default `.cloud-tasks` in the working directory. */
  readonly root?: string
  readonly vcpusPerVm?: number
  readonly memoryGbPerVm?: number
  readonly pricePerHour?: number
  readonly bootSeconds?: number
  /** Expected preemptions per VM and hour; 0 = never. */
  readonly preemptionsPerHour?: number
  /** Time between notice and kill. */
  readonly noticeSeconds?: number
  /** Most VMs that run at once; further launches fail for lack of capacity. */
  readonly capacity?: number
  /** Of the random numbers: same seed, same fate of the n-th VM. */
  readonly seed?: number
}

interface Adapter {
  openProvider(settings: ProviderSettings): Provider
  openStack(settings: ProviderSettings): Stack
}

const ADAPTERS: Partial<Record<ProviderName, () => Promise<Adapter>>> = {
  local: () => import('./local/index.ts'),
  aws: () => import('./aws/index.ts'),
  gcp: () => import('./gcp/index.ts'),
}

export async function openProvider(name: ProviderName, settings: ProviderSettings): Promise<Provider> {
  return (await loadAdapter(name)).openProvider(settings)
}

export async function openStack(name: ProviderName, settings: ProviderSettings): Promise<Stack> {
  return (await loadAdapter(name)).openStack(settings)
}

async function loadAdapter(name: ProviderName): Promise<Adapter> {
  const load = ADAPTERS[name]
  if (load === undefined) {
    throw new UserError(
      `Provider "${name}" is not available in this version. Available: ${Object.keys(ADAPTERS).join(', ')}.`,
    )
  }
  return load()
}
