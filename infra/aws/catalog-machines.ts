// What the instance types of a region are, and in which of its zones each can be had. Knows no prices.
import {
  type EC2Client,
  type InstanceTypeInfo,
  paginateDescribeInstanceTypeOfferings,
  paginateDescribeInstanceTypes,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'

export const typesSchema = z.array(
  z.object({
    instanceType: z.string(),
    vcpuCount: z.number().positive(),
    memoryGib: z.number().positive(),
    architecture: z.enum(['X86_64', 'ARM64']),
    manufacturer: z.string().optional(),
    localSsdGib: z.number(),
    /** undefined: not known. */
    spot: z.boolean().optional(),
    onDemand: z.boolean().optional(),
    burstable: z.boolean(),
    current: z.boolean(),
    accelerators: z.string().optional(),
  }),
)
export type TypeFacts = z.infer<typeof typesSchema>[number]

/** Zone → the types that can be had there. */
export const zonesSchema = z.record(z.string(), z.array(z.string()))
export type ZoneOfferings = z.infer<typeof zonesSchema>

/** Bare metal is left out: it costs as much as the largest VM of its family, and takes a quarter of an hour to boot. */
export async function loadTypes(client: EC2Client): Promise<TypeFacts[]> {
  const types: TypeFacts[] = []
  for await (const { InstanceTypes } of paginateDescribeInstanceTypes({ client, pageSize: 100 }, {})) {
    types.push(...(InstanceTypes ?? []).map(factsOf).filter(facts => facts !== undefined))
  }
  return types
}

export async function loadZones(client: EC2Client, region: string): Promise<ZoneOfferings> {
  const zones: ZoneOfferings = {}
  const pages = paginateDescribeInstanceTypeOfferings({ client, pageSize: 1000 }, { LocationType: 'availability-zone' })
  for await (const { InstanceTypeOfferings } of pages) {
    for (const { InstanceType, Location } of InstanceTypeOfferings ?? []) {
      if (InstanceType === undefined || Location === undefined || !isZoneOf(region, Location)) continue
      zones[Location] ??= []
      zones[Location].push(InstanceType)
    }
  }
  return zones
}

/** False for local and wavelength zones such as `us-west-2-lax-1a`: they have prices of their own and must be opted into. */
export function isZoneOf(region: string, zone: string): boolean {
  return zone.length === region.length + 1 && zone.startsWith(region)
}

function factsOf(info: InstanceTypeInfo): TypeFacts | undefined {
  const architecture = architectureOf(info)
  const vcpuCount = info.VCpuInfo?.DefaultVCpus
  const memoryMib = info.MemoryInfo?.SizeInMiB
  if (info.InstanceType === undefined || architecture === undefined || !vcpuCount || !memoryMib) return undefined
  if (info.BareMetal) return undefined
  const classes: readonly string[] | undefined = info.SupportedUsageClasses
  const accelerators = acceleratorsOf(info)
  return {
    instanceType: info.InstanceType,
    vcpuCount,
    memoryGib: memoryMib / 1024,
    architecture,
    manufacturer: info.ProcessorInfo?.Manufacturer,
    localSsdGib: localSsdGib(info),
    spot: classes?.includes('spot'),
    onDemand: classes?.includes('on-demand'),
    burstable: info.BurstablePerformanceSupported ?? false,
    current: info.CurrentGeneration ?? true,
    ...(accelerators && { accelerators }),
  }
}

function architectureOf({ ProcessorInfo }: InstanceTypeInfo): TypeFacts['architecture'] | undefined {
  const architectures: readonly string[] = ProcessorInfo?.SupportedArchitectures ?? []
  if (architectures.includes('x86_64')) return 'X86_64'
  return architectures.includes('arm64') ? 'ARM64' : undefined
}

/** Hard disks of storage types are not SSD. */
function localSsdGib({ InstanceStorageInfo }: InstanceTypeInfo): number {
  return (InstanceStorageInfo?.Disks ?? [])
    .filter(disk => disk.Type === 'ssd')
    .reduce((sum, { SizeInGB = 0, Count = 1 }) => sum + SizeInGB * Count, 0)
}

function acceleratorsOf({ GpuInfo, NeuronInfo, InferenceAcceleratorInfo }: InstanceTypeInfo): string {
  const devices = [
    ...(GpuInfo?.Gpus ?? []),
    ...(NeuronInfo?.NeuronDevices ?? []),
    ...(InferenceAcceleratorInfo?.Accelerators ?? []).map(({ Manufacturer, ...rest }) => ({ ...rest, Manufacturer })),
  ]
  return devices
    .map(device => {
      const maker = 'Manufacturer' in device ? device.Manufacturer : 'AWS'
      return `${device.Count ?? 1} × ${[maker, device.Name].filter(Boolean).join(' ')}`
    })
    .join(', ')
}
