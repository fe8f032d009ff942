// What the local cloud sells: made-up machine types at made-up prices, so that plans and reports show money that nobody pays.
import { availableParallelism, hostname, type as osName, release } from 'node:os'
import type { LocalSettings } from '../open-provider.ts'
import type { Catalog, Image, Offer, Region } from '../provider.ts'

export const LOCAL_REGION = 'local'
const ZONES = ['local-a', 'local-b'] as const
const SIZES = [1, 2, 4, 8, 16, 32] as const // vCPUs
const USD_PER_VCPU_HOUR = 0.01
const SPOT_SHARE = 0.3 // of the on-demand price
const OTHER_SIZE_SURCHARGE = 1.05 // so that the size that suits this machine is chosen unless the job asks for another
const GIB_PER_VCPU = 4

export class LocalCatalog implements Catalog {
  readonly #settings: LocalSettings

  constructor(settings: LocalSettings) {
    this.#settings = settings
  }

  /** Settings that describe the VM leave one type. A set price is what the VM costs, spot or not. */
  async offers({ region, spot }: { readonly region?: string; readonly spot: boolean }): Promise<readonly Offer[]> {
    if (region !== undefined && region !== LOCAL_REGION) return []
    const { vcpusPerVm, memoryGbPerVm, pricePerHour } = this.#settings
    const usual = vcpusPerVm ?? Math.max(1, Math.floor(availableParallelism() / 2))
    const described = vcpusPerVm !== undefined || memoryGbPerVm !== undefined || pricePerHour !== undefined
    const sizes = described ? [usual] : [...new Set([...SIZES, usual])].sort((a, b) => a - b)
    return ZONES.flatMap(zone =>
      sizes.map((vcpuCount): Offer => {
        const onDemand = vcpuCount * USD_PER_VCPU_HOUR * (vcpuCount === usual ? 1 : OTHER_SIZE_SURCHARGE)
        return {
          instanceType: `local-${vcpuCount}`,
          vcpuCount,
          memoryGib: memoryGbPerVm ?? vcpuCount * GIB_PER_VCPU,
          architecture: process.arch === 'arm64' ? 'ARM64' : 'X86_64',
          cpuFamily: undefined,
          cpuRank: 0,
          localSsdGib: 0,
          spotSupported: true,
          zone,
          bootDiskType: undefined,
          priceUsdPerHour: pricePerHour ?? roundPrice(spot ? onDemand * SPOT_SHARE : onDemand),
        }
      }),
    )
  }

  async images(): Promise<readonly Image[]> {
    return [{ name: 'this-machine', source: `${osName()} ${release()}`, family: 'local' }]
  }

  async regions(): Promise<readonly Region[]> {
    return [{ name: LOCAL_REGION, description: `This machine, ${hostname()}`, zones: ZONES }]
  }
}

function roundPrice(usd: number): number {
  return Number(usd.toFixed(6))
}
