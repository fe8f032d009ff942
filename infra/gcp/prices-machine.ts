// What a machine type and its boot disk cost, put together from the prices of their parts. Pure.
import type { BootDiskRates, PriceParts } from '../provider.ts'
import type { Machine } from './catalog-machines.ts'
import { type BootDiskType, familyName } from './machine-families.ts'
import type { RegionPrices } from './prices.ts'
import { gpuKeyOf } from './prices-sku.ts'

/** By what `parseSku` calls it: USD per hour. */
type Rates = RegionPrices['spot']

/** undefined where any part of it has no price: it would look like the cheapest of all. */
export function machinePrice(name: string, machine: Machine, rates: Rates): PriceParts | undefined {
  const { vcpuCount, memoryGib, localSsdGib, accelerators } = machine
  const whole = rates[`${name} whole`]
  if (whole !== undefined) return { cpu: whole }
  const [core, ram] = [rateOf(name, 'core', rates), rateOf(name, 'ram', rates)]
  const ssd = localSsdGib === 0 ? 0 : (rates[`${familyName(name)} ssd`] ?? rates.ssd)
  const devices = accelerators.map(({ type, count }) => count * (rates[gpuKeyOf(type)] ?? Number.NaN))
  const device = devices.reduce((sum, usd) => sum + usd, 0)
  if (core === undefined || ram === undefined || ssd === undefined || Number.isNaN(device)) return undefined
  return {
    cpu: vcpuCount * core,
    memory: memoryGib * ram,
    ...(localSsdGib > 0 && { localSsd: localSsdGib * ssd }),
    ...(accelerators.length > 0 && { accelerators: device }),
  }
}

/** Of the type itself, as `m4ultramem224`; of its family; or, for m2, of m1 with a premium. */
function rateOf(name: string, part: 'core' | 'ram', rates: Rates): number | undefined {
  const family = familyName(name)
  const own = rates[`${name.replaceAll('-', '')} ${part}`] ?? rates[`${family} ${part}`]
  if (own !== undefined || family !== 'm2') return own
  const [base, premium] = [rates[`m1 ${part}`], rates[`m2 premium ${part}`]]
  return base === undefined || premium === undefined ? undefined : base + premium
}

/** What comes with a Hyperdisk: https://cloud.google.com/compute/docs/disks/hd-types/hyperdisk-balanced */
const INCLUDED_IOPS = 3_000
const INCLUDED_MIB_PER_SECOND = 140
/** What a disk gets where the job names nothing, as in the Python system. */
const DEFAULT_IOPS = 3_120
const DEFAULT_MIB_PER_SECOND = 170

/** Spot VMs pay the same for their boot disks. undefined = the region does not sell it. */
export function bootDiskRates(type: BootDiskType, { onDemand }: RegionPrices): BootDiskRates | undefined {
  const usdPerGibHour = onDemand[`disk ${type}`]
  if (usdPerGibHour === undefined) return undefined
  if (type === 'pd-extreme') {
    return { usdPerGibHour, usdPerIopsHour: onDemand['iops pd-extreme'], defaultIops: DEFAULT_IOPS }
  }
  if (type !== 'hd-balanced') return { usdPerGibHour }
  return {
    usdPerGibHour,
    usdPerIopsHour: onDemand['iops hd-balanced'],
    usdPerMibPerSecondHour: onDemand['throughput hd-balanced'],
    ...{ includedIops: INCLUDED_IOPS, includedMibPerSecond: INCLUDED_MIB_PER_SECOND },
    ...{ defaultIops: DEFAULT_IOPS, defaultMibPerSecond: DEFAULT_MIB_PER_SECOND },
  }
}
