// The job and the cloud of the big simulation: a million tasks, up to a thousand VMs, four types in three zones.
import { layerConfig } from '../../core/config-layers.ts'
import { type JobConfig, jobConfigOf } from '../../core/job-config.ts'
import type { Offer } from '../../infra/provider.ts'
import { type Choice, selectOffers, tasksPerVm } from '../../manager/select-offers.ts'
import { type CloudOptions, SimulatedCloud, type SimulatedPlace } from './simulated-cloud.ts'

export interface Scenario {
  readonly config: JobConfig
  readonly choices: readonly Choice[]
  readonly options: CloudOptions
}

export interface ScenarioOptions {
  readonly seed: number
  readonly taskCount: number
  readonly vmCount: number
}

const TYPES = [
  { instanceType: 'a-4', vcpuCount: 4, priceUsdPerHour: 0.04, preemptionsPerHour: 0.1 },
  { instanceType: 'b-4', vcpuCount: 4, priceUsdPerHour: 0.042, preemptionsPerHour: 0.02 },
  { instanceType: 'b-8', vcpuCount: 8, priceUsdPerHour: 0.088, preemptionsPerHour: 0.05 },
  { instanceType: 'c-4', vcpuCount: 4, priceUsdPerHour: 0.07, preemptionsPerHour: 0.02 },
] as const
const ZONES = ['zone-1', 'zone-2', 'zone-3'] as const

export function scenario({ seed, taskCount, vmCount }: ScenarioOptions): Scenario {
  const places = TYPES.flatMap(type => ZONES.map((zone, index) => placeOf(type, zone, index, vmCount)))
  const config = configOf({ max_instances: vmCount, max_total_price_per_hour: vmCount * 0.09, idle_shutdown: 300 })
  return {
    config,
    choices: selectOffers(
      places.map(({ offer }) => offer),
      config,
      { spot: true },
    ),
    options: {
      seed,
      taskCount,
      meanTaskSeconds: 60,
      tasksPerVm: vcpuCount => tasksPerVm(vcpuCount, config.tasks),
      places,
      bootSeconds: 90,
      failureRate: 0.02,
      idleShutdownSeconds: config.boot.idleShutdownSeconds,
    },
  }
}

/** The peer's policy knows no failing requests: its world is spared them. */
export function openCloud({ options }: Scenario, { failing }: { readonly failing: boolean }): SimulatedCloud {
  return new SimulatedCloud(
    failing ? options : { ...options, failureRate: 0, idleShutdownSeconds: Number.POSITIVE_INFINITY },
  )
}

export function configOf(run: Parameters<typeof layerConfig>[0]['commandLine']): JobConfig {
  const { provider, values } = layerConfig({ file: { provider: 'local' }, commandLine: run, provider: undefined })
  return jobConfigOf({ provider, values, startupScript: undefined, folder: '/' })
}

export function offerOf(fields: Pick<Offer, 'instanceType' | 'vcpuCount' | 'priceUsdPerHour' | 'zone'>): Offer {
  return {
    memoryGib: fields.vcpuCount * 4,
    architecture: 'X86_64',
    cpuFamily: undefined,
    cpuRank: 0,
    localSsdGib: 0,
    spotSupported: true,
    bootDiskType: undefined,
    ...fields,
  }
}

function placeOf(
  { preemptionsPerHour, ...type }: (typeof TYPES)[number],
  zone: string,
  index: number,
  vmCount: number,
): SimulatedPlace {
  return {
    offer: offerOf({ ...type, zone }),
    capacity: Math.ceil(vmCount / (2 + index)), // no place has room for all
    preemptionsPerHour: preemptionsPerHour * (1 + index),
    droughtShare: 0.2,
  }
}
