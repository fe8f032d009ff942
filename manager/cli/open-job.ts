// What commands about one job begin with: its configuration, its cloud and its queues, opened; nothing is requested yet.
import { resolve } from 'node:path'
import { UserError } from '../../core/errors.ts'
import type { JobConfig } from '../../core/job-config.ts'
import { deadLetterQueueName, eventQueueName } from '../../core/names.ts'
import { openProvider, openStack, type ProviderSettings } from '../../infra/open-provider.ts'
import type { Provider, Queue } from '../../infra/provider.ts'
import type { Stack, StackSpec } from '../../infra/stack.ts'
import type { Invocation } from './invocation.ts'
import { loadConfig } from './load-config.ts'
import { LOCAL_ROOT_VARIABLE } from './local-root.ts'

export interface JobQueues {
  readonly tasks: Queue
  readonly events: Queue
  readonly dead: Queue
}

export interface OpenJob extends AsyncDisposable {
  readonly config: JobConfig
  readonly jobId: string
  readonly settings: ProviderSettings
  readonly provider: Provider
  readonly queues: JobQueues
  readonly stackSpec: StackSpec
  openStack(): Promise<Stack>
}

const EVENT_LEASE_SECONDS = 10 // the least of all clouds: a manager that is killed holds back its last results no longer

export async function openJob(invocation: Invocation): Promise<OpenJob> {
  const { config } = await loadConfig(invocation)
  const { jobId, queueName } = config
  if (jobId === undefined || queueName === undefined) {
    throw new UserError(`Which job? Set job_id under ${config.provider}: in the job file, or give --job-id.`)
  }
  const settings = providerSettings(config, invocation)
  const provider = await openProvider(config.provider, settings)
  const { leaseSeconds } = config.tasks
  if (leaseSeconds > provider.limits.maxLeaseSeconds) {
    throw new UserError(
      `lease_seconds is ${leaseSeconds}, but ${provider.name} allows at most ${provider.limits.maxLeaseSeconds}.`,
    )
  }
  return {
    config,
    jobId,
    settings,
    provider,
    queues: {
      tasks: provider.openQueue(queueName, { leaseSeconds }),
      events: provider.openQueue(eventQueueName(queueName), { leaseSeconds: EVENT_LEASE_SECONDS }),
      dead: provider.openQueue(deadLetterQueueName(queueName), { leaseSeconds: EVENT_LEASE_SECONDS }),
    },
    stackSpec: {
      jobId,
      queueName,
      config,
      manager: 'here',
    },
    openStack: () => openStack(config.provider, settings),
    [Symbol.asyncDispose]: () => provider.close(),
  }
}

export function providerSettings(
  { section, region, zone, provider }: JobConfig,
  { env, terminal }: Pick<Invocation, 'env' | 'terminal'>,
): ProviderSettings {
  const s = section
  const root = s.root ?? env[LOCAL_ROOT_VARIABLE]
  return defined<ProviderSettings>({
    region,
    zone,
    projectId: s.project_id,
    accessKey: s.access_key,
    secretKey: s.secret_key,
    credentialsFile: s.credentials_file,
    serviceAccount: s.worker_service_account ?? s.service_account,
    runnerServiceAccount: s.runner_service_account,
    exactlyOnceQueue: s.exactly_once_queue,
    bucket: s.bucket,
    local:
      provider === 'local'
        ? defined({
            root: root === undefined ? undefined : resolve(root),
            vcpusPerVm: s.vcpus_per_vm,
            memoryGbPerVm: s.memory_gb_per_vm,
            pricePerHour: s.price_per_hour,
            bootSeconds: s.boot_seconds,
            preemptionsPerHour: s.preemptions_per_hour,
            noticeSeconds: s.notice_seconds,
            capacity: s.capacity,
            seed: s.seed,
          })
        : undefined,
    onWarning: text => terminal.log('WARNING', text),
    env,
  })
}

/** Absent instead of undefined. */
function defined<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
}
