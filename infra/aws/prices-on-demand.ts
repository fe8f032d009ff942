// On-demand prices of a region's instance types, and what the price list tells of the types themselves: it stands in when
// EC2 may not be asked.
import type { PricingClient } from '@aws-sdk/client-pricing'
import { z } from 'zod'
import { cpuFamilyOf } from './catalog-cpu.ts'
import type { TypeFacts } from './catalog-machines.ts'
import { readProducts } from './prices-products.ts'

export const onDemandSchema = z.record(
  z.string(),
  z.object({
    usdPerHour: z.number().positive(),
    vcpuCount: z.number().optional(),
    memoryGib: z.number().optional(),
    localSsdGib: z.number(),
    current: z.boolean(),
  }),
)
/** By instance type. */
export type OnDemandPrices = z.infer<typeof onDemandSchema>

/** Of Linux, without licences, on hardware that others use too. */
export async function loadOnDemandPrices(client: PricingClient, region: string): Promise<OnDemandPrices> {
  const prices: OnDemandPrices = {}
  const filter = {
    regionCode: region,
    operatingSystem: 'Linux',
    tenancy: 'Shared',
    preInstalledSw: 'NA',
    capacitystatus: 'Used',
    marketoption: 'OnDemand',
  }
  for await (const { attributes, unit, usd } of readProducts(client, filter)) {
    const { instanceType } = attributes
    if (instanceType === undefined || unit !== 'Hrs') continue
    prices[instanceType] = {
      usdPerHour: usd,
      vcpuCount: numberOf(attributes.vcpu),
      memoryGib: numberOf(attributes.memory),
      localSsdGib: localSsdGib(attributes.storage),
      current: attributes.currentGeneration !== 'No',
    }
  }
  return prices
}

/** Less than EC2 itself would tell: whether a type can be had as spot is not known. */
export function typesOfPrices(prices: OnDemandPrices): TypeFacts[] {
  return Object.entries(prices).flatMap(([instanceType, { vcpuCount, memoryGib, localSsdGib, current }]) => {
    if (!vcpuCount || !memoryGib || instanceType.includes('.metal')) return []
    const architecture = cpuFamilyOf(instanceType)?.startsWith('AWS Graviton') ? 'ARM64' : 'X86_64'
    const burstable = /^t\d/.test(instanceType)
    return [{ instanceType, vcpuCount, memoryGib, architecture, localSsdGib, burstable, current }]
  })
}

/** `16`, `1,952 GiB`. */
function numberOf(text: string | undefined): number | undefined {
  const value = Number.parseFloat((text ?? '').replaceAll(',', ''))
  return Number.isFinite(value) ? value : undefined
}

/** `2 x 1900 NVMe SSD`, `1 x 75 SSD`, `900 GB NVMe SSD`; `EBS only` and hard disks are none. */
function localSsdGib(storage = ''): number {
  if (!/SSD/i.test(storage)) return 0
  const [, count = '1', gigabytes = '0'] = /^(?:(\d+)\s*x\s*)?([\d,]+)/i.exec(storage) ?? []
  return Number(count) * Number(gigabytes.replaceAll(',', ''))
}
