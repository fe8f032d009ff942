// What boot disks cost: EBS volumes of each type, by size, and by the IOPS and throughput that go beyond what a size brings.
import type { PricingClient } from '@aws-sdk/client-pricing'
import { z } from 'zod'
import { readProducts } from './prices-products.ts'

const HOURS_PER_MONTH = 730 // as AWS reckons: https://aws.amazon.com/ebs/pricing
const MIB_PER_GIB = 1024

const DEFAULT_DISK_TYPE = 'gp3'
/** Volume types that a VM can boot from. */
const DISK_TYPES = ['gp3', 'gp2', 'io1', 'io2', 'standard']

/** https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html */
const SPEEDS: Readonly<Record<string, Partial<DiskPrice>>> = {
  gp3: { includedIops: 3000, includedMibPerSecond: 125 },
  io1: { defaultIops: 3000 },
  io2: { defaultIops: 3000 },
}

export const disksSchema = z.record(
  z.string(),
  z.object({
    usdPerGibHour: z.number().positive(),
    usdPerIopsHour: z.number().optional(),
    usdPerMibPerSecondHour: z.number().optional(),
    includedIops: z.number().optional(),
    includedMibPerSecond: z.number().optional(),
    defaultIops: z.number().optional(),
  }),
)
/** By volume type. */
export type DiskPrices = z.infer<typeof disksSchema>
type DiskPrice = DiskPrices[string]

/** The wanted ones that there are. If there is none of them, the usual one, so that the refusal can name the wish. */
export function diskTypesOf(wanted: readonly string[] | undefined): readonly string[] {
  const known = DISK_TYPES.filter(type => wanted?.includes(type))
  return known.length === 0 ? [DEFAULT_DISK_TYPE] : known
}

export async function loadDiskPrices(client: PricingClient, region: string): Promise<DiskPrices> {
  const rates: Record<string, Partial<DiskPrice>> = {}
  const families = ['Storage', 'System Operation', 'Provisioned Throughput'].map(async productFamily => {
    for await (const { attributes, unit, usd } of readProducts(client, { regionCode: region, productFamily })) {
      const { volumeApiName: type, usagetype = '' } = attributes
      if (type === undefined || !DISK_TYPES.includes(type)) continue
      rates[type] = { ...rates[type], ...rateOf(usagetype, unit, usd / HOURS_PER_MONTH) }
    }
  })
  await Promise.all(families)
  return Object.fromEntries(
    Object.entries(rates).flatMap(([type, { usdPerGibHour, ...rest }]) =>
      usdPerGibHour === undefined ? [] : [[type, { usdPerGibHour, ...rest, ...SPEEDS[type] }]],
    ),
  )
}

function rateOf(usagetype: string, unit: string, usdPerHour: number): Partial<DiskPrice> {
  if (/VolumeUsage(\.|$)/.test(usagetype) && /^GB-mo/i.test(unit)) return { usdPerGibHour: usdPerHour }
  // Higher tiers, cheaper, begin at 32,000 IOPS: no boot disk needs them.
  if (/VolumeP-IOPS\.[a-z0-9]+$/.test(usagetype) && /^IOPS-mo/i.test(unit)) return { usdPerIopsHour: usdPerHour }
  if (!/VolumeP-Throughput/.test(usagetype)) return {}
  if (/^GiBps-mo/i.test(unit)) return { usdPerMibPerSecondHour: usdPerHour / MIB_PER_GIB }
  return /^MiBps-mo/i.test(unit) ? { usdPerMibPerSecondHour: usdPerHour } : {}
}
