// Puts offers together from what the sources told. Pure: facts and prices in, offers out.
import { cpuRankOf } from '../cpu-rank.ts'
import type { Offer, PriceParts } from '../provider.ts'
import type { Machine, Machines } from './catalog-machines.ts'
import { bootDiskTypesOf, cpuFamilyOf } from './machine-families.ts'
import type { RegionPrices } from './prices.ts'
import { bootDiskRates, machinePrice } from './prices-machine.ts'

interface OfferSources {
  readonly machines: Machines
  readonly prices: RegionPrices
  readonly spot: boolean
  readonly bootDiskTypes: readonly string[] | undefined
}

export function buildOffers(sources: OfferSources): Offer[] {
  return Object.entries(sources.machines).flatMap(([name, machine]) => offersOf(name, machine, sources))
}

function offersOf(name: string, machine: Machine, { prices, spot, bootDiskTypes }: OfferSources): Offer[] {
  const spotParts = machinePrice(name, machine, prices.spot)
  const parts = spot ? spotParts : machinePrice(name, machine, prices.onDemand)
  const usdPerHour = parts === undefined ? 0 : sumOf(parts)
  if (parts === undefined || usdPerHour === 0) return []
  const disks = bootDiskTypesOf(name, bootDiskTypes).flatMap(([type, word]) => {
    const rates = bootDiskRates(type, prices)
    return rates === undefined ? [] : [{ bootDiskType: word, bootDiskRates: rates }]
  })
  const { zones, accelerators: _, description, ...facts } = machine
  const cpuFamily = cpuFamilyOf(name)
  return zones.flatMap(zone =>
    disks.map(disk => ({
      instanceType: name,
      ...facts,
      cpuFamily,
      cpuRank: cpuRankOf(cpuFamily),
      spotSupported: spotParts !== undefined,
      zone,
      ...disk,
      priceUsdPerHour: usdPerHour,
      priceParts: rounded(parts),
      ...(description !== '' && { description }),
    })),
  )
}

function sumOf(parts: PriceParts): number {
  return roundPrice(Object.values(parts).reduce((sum: number, usd: number) => sum + usd, 0))
}

function rounded(parts: PriceParts): PriceParts {
  return Object.fromEntries(Object.entries(parts).map(([part, usd]) => [part, roundPrice(usd)]))
}

function roundPrice(usd: number): number {
  return Number(usd.toFixed(6))
}
