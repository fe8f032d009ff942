// A pool on the fake Compute Engine, as the tests of the pool need it.
import type { TestContext } from 'node:test'
import { GcpPool, type PoolOptions } from '../../../infra/gcp/pool.ts'
import type { LaunchChoice, LaunchPlan, Offer } from '../../../infra/provider.ts'
import { type GceFake, type GceFakeOptions, startGce } from '../../support/gce-fake.ts'

export const PROJECT = 'test-project'
export const JOB = 'job-1'

export const OFFER: Offer = {
  instanceType: 'n2-standard-2',
  vcpuCount: 2,
  memoryGib: 8,
  architecture: 'X86_64',
  cpuFamily: undefined,
  cpuRank: 0,
  localSsdGib: 0,
  spotSupported: true,
  zone: 'us-central1-a',
  bootDiskType: 'pd-balanced',
  priceUsdPerHour: 0.0233,
}

export function choice(offer: Partial<Offer> = {}, rest: Partial<LaunchChoice> = {}): LaunchChoice {
  return { offer: { ...OFFER, ...offer }, bootDiskGib: 20, tasksPerVm: 2, ...rest }
}

let tokenCount = 0

export function plan(rest: Partial<LaunchPlan> = {}): LaunchPlan {
  return { token: `token-${++tokenCount}`, vmCount: 1, spot: true, choices: [choice()], ...rest }
}

/** As the job's stack makes it. */
export const TEMPLATE = {
  machineType: 'e2-small',
  disks: [
    {
      boot: true,
      autoDelete: true,
      initializeParams: {
        sourceImage: 'projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64',
        diskSizeGb: '10',
        diskType: 'pd-balanced',
      },
    },
  ],
  networkInterfaces: [{ network: 'global/networks/default' }],
  metadata: { items: [{ key: 'startup-script', value: '#!/bin/bash\necho hello\n' }] },
  serviceAccounts: [{ email: `worker@${PROJECT}.iam.gserviceaccount.com`, scopes: ['cloud-platform'] }],
  tags: { items: ['extra'] },
  labels: { team: 'science' },
  scheduling: { provisioningModel: 'SPOT', instanceTerminationAction: 'DELETE', automaticRestart: false },
}

export async function gce(
  context: TestContext,
  { jobIds = [JOB], ...options }: GceFakeOptions & { readonly jobIds?: readonly string[] } = {},
): Promise<GceFake> {
  const fake = await startGce(options)
  context.after(() => fake.close())
  for (const jobId of jobIds) fake.putTemplate(`rmscr-${jobId}`, TEMPLATE)
  return fake
}

export function settingsOn({ endpoint }: Pick<GceFake, 'endpoint'>, env: Record<string, string> = {}) {
  return { projectId: PROJECT, region: 'us-central1', env: { CLOUD_TASKS_GCP_COMPUTE_URL: endpoint, ...env } }
}

export function poolOn(
  fake: Pick<GceFake, 'endpoint'>,
  options: PoolOptions & { readonly jobId?: string } = {},
): GcpPool {
  const { jobId = JOB, ...rest } = options
  return new GcpPool(settingsOn(fake), { jobId }, { lookMs: 5, pauseMs: 5, ...rest })
}
