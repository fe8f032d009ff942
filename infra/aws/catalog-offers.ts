// Puts offers together from what the sources told. Pure: facts and prices in, offers out.
import { cpuRankOf } from '../cpu-rank.ts'
import type { Offer } from '../provider.ts'
import type { SpotAdvice } from './advisor.ts'
import { cpuFamilyOf } from './catalog-cpu.ts'
import type { TypeFacts } from './catalog-machines.ts'
import { type DiskPrices, diskTypesOf } from './prices-disk.ts'

export interface OfferSources {
  readonly types: readonly TypeFacts[]
  /** USD per hour in each zone where the type can be had. */
  readonly pricesOf: (instanceType: string) => Iterable<readonly [zone: string, usdPerHour: number]>
  readonly spot: boolean
  readonly disks: DiskPrices
  readonly bootDiskTypes: readonly string[] | undefined
  readonly advice: SpotAdvice
}

/** Types of the current generation first: of equals the first one is chosen. */
export function buildOffers(sources: OfferSources): Offer[] {
  const { spot } = sources
  return sources.types
    .filter(type => (spot ? type.spot : type.onDemand) ?? true)
    .toSorted((a, b) => Number(b.current) - Number(a.current))
    .flatMap(type => offersOf(type, sources))
}

function offersOf(type: TypeFacts, { pricesOf, spot, disks, bootDiskTypes, advice }: OfferSources): Offer[] {
  const { instanceType, vcpuCount, memoryGib, architecture, localSsdGib } = type
  const cpuFamily = cpuFamilyOf(instanceType, type.manufacturer)
  const share = advice[instanceType]?.interruptionShare
  const cpuBurst = burstUsdPerHour(type)
  const description = describe(type)
  return [...pricesOf(instanceType)].flatMap(([zone, usdPerHour]) =>
    diskTypesOf(bootDiskTypes).map((bootDiskType): Offer => {
      const rates = disks[bootDiskType]
      return {
        instanceType,
        vcpuCount,
        memoryGib,
        architecture,
        cpuFamily,
        cpuRank: cpuRankOf(cpuFamily),
        localSsdGib,
        spotSupported: spot || (type.spot ?? true),
        zone,
        bootDiskType,
        priceUsdPerHour: roundPrice(usdPerHour + cpuBurst),
        ...(rates && { bootDiskRates: rates }),
        priceParts: { cpu: usdPerHour, ...(cpuBurst > 0 && { cpuBurst }) },
        ...(spot && share !== undefined && { monthlyInterruptionShare: share }),
        ...(description && { description }),
      }
    }),
  )
}

/**
 * Burstable types are sold cheaply by the share of a vCPU that they may use on average; tasks use all of it, and all beyond
 * the share is billed by the vCPU-hour, on spot VMs too. Without it they would look like the cheapest of all.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-credits-baseline-concepts.html
 */
function burstUsdPerHour({ burstable, instanceType, vcpuCount, architecture }: TypeFacts): number {
  if (!burstable) return 0
  const [family = '', size = ''] = instanceType.split('.', 2)
  const baseline = (family === 't2' ? T2_BASELINES[size] : undefined) ?? BASELINES[size] ?? 0
  return roundPrice(vcpuCount * (1 - baseline) * (architecture === 'ARM64' ? ARM_BURST_USD : BURST_USD))
}

const BURST_USD = 0.05 // a vCPU-hour, https://aws.amazon.com/ec2/pricing/on-demand
const ARM_BURST_USD = 0.04
/** Of each vCPU. */
const BASELINES: Readonly<Record<string, number>> = {
  nano: 0.05,
  micro: 0.1,
  small: 0.2,
  medium: 0.2,
  large: 0.3,
  xlarge: 0.4,
  '2xlarge': 0.4,
}
const T2_BASELINES: Readonly<Record<string, number>> = { xlarge: 0.225, '2xlarge': 0.16875 }

function describe({ burstable, current, accelerators }: TypeFacts): string {
  return [
    accelerators,
    burstable ? 'burstable: the price is that of full use' : undefined,
    current ? undefined : 'previous generation',
  ]
    .filter(part => part !== undefined)
    .join('; ')
}

function roundPrice(usd: number): number {
  return Number(usd.toFixed(6))
}
