// Makes offers, VMs and configurations for tests of pure decisions; every field has a plain default.

import type { SectionValues } from '../../core/config-keys.ts'
import { layerConfig } from '../../core/config-layers.ts'
import { vmId } from '../../core/ids.ts'
import { type JobConfig, jobConfigOf } from '../../core/job-config.ts'
import type { Offer, Vm } from '../../infra/provider.ts'
import type { PoolView } from '../../manager/reconcile.ts'
import type { Choice } from '../../manager/select-offers.ts'

export function offer(fields: Partial<Offer> = {}): Offer {
  return {
    instanceType: 'm-2',
    vcpuCount: 2,
    memoryGib: 8,
    architecture: 'X86_64',
    cpuFamily: 'Intel Ice Lake',
    cpuRank: 16,
    localSsdGib: 0,
    spotSupported: true,
    zone: 'z-a',
    bootDiskType: undefined,
    priceUsdPerHour: 0.1,
    ...fields,
  }
}

export function choice(fields: Partial<Offer> = {}, rest: Partial<Choice> = {}): Choice {
  const made = offer(fields)
  return { offer: made, spot: true, tasksPerVm: made.vcpuCount, bootDiskGib: 10, ...rest }
}

let count = 0

export function vm(fields: Partial<Vm> = {}): Vm {
  return {
    id: vmId(`vm-${++count}`),
    jobId: 'job',
    state: 'running',
    instanceType: 'm-2',
    zone: 'z-a',
    spot: true,
    vcpuCount: 2,
    priceUsdPerHour: 0.1,
    launchedAt: new Date(0),
    ...fields,
  }
}

export function configWith(commandLine: SectionValues = {}): JobConfig {
  const { provider, values } = layerConfig({ file: { provider: 'local' }, commandLine, provider: undefined })
  return jobConfigOf({ provider, values, startupScript: undefined, folder: '/' })
}

export type ViewFields = Partial<PoolView> & { readonly needs?: SectionValues }

/** A pool at `now` that has much to do and nothing yet, but for what `fields` say. */
export function poolViewAt(now: Date, { needs, ...rest }: ViewFields = {}): PoolView {
  return {
    now,
    config: configWith(needs),
    unfinishedCount: 1_000_000,
    vms: [],
    idle: new Set(),
    choices: [choice()],
    signs: { heardAt: new Map(), firstSeenAt: new Map(), listeningSince: now, knownUntil: now },
    spentUsd: 0,
    horizonSeconds: 60,
    stillborn: { count: 0, endReason: '' },
    ...rest,
  }
}
