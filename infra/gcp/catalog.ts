// What Compute Engine sells, at which price: offers, images and regions. Works with a warning while the price list is denied
// or down.
import type { Clock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import { type Ask, KeptSources } from '../kept-source.ts'
import type { ProviderSettings } from '../open-provider.ts'
import { cacheFolder, PriceCache } from '../price-cache.ts'
import type { Catalog, Image, Offer, OfferOptions, Region } from '../provider.ts'
import { loadMachines, type Machines, machinesSchema } from './catalog-machines.ts'
import { buildOffers } from './catalog-offers.ts'
import { loadRegions } from './catalog-regions.ts'
import { GcpConnection, gcpAddress } from './connection.ts'
import { gcpFailure, gcpFailureKind } from './failure.ts'
import { loadImages } from './images.ts'
import { unknownBootDiskTypes } from './machine-families.ts'
import { regionOfZone } from './pool-request.ts'
import { type ListPrices, listPricesSchema, loadListPrices, type RegionPrices } from './prices.ts'
import { estimatedPrices } from './prices-estimated.ts'
import { GcpRest, type GcpRestOptions } from './rest.ts'

const DAY_SECONDS = 86_400
const USABLE_SECONDS = 30 * DAY_SECONDS // list prices change monthly at most, and by little

/** Nothing that follows could work either. */
const FATAL: readonly string[] = ['no_credentials', 'expired', 'bad_credentials', 'project']

interface GcpCatalogOptions extends GcpRestOptions {
  readonly clock?: Clock
}

export class GcpCatalog implements Catalog {
  readonly #settings: ProviderSettings
  readonly #connection: GcpConnection
  readonly #compute: GcpRest
  readonly #sources: KeptSources
  readonly #prices: Ask<ListPrices>
  readonly #machines = new Map<string, Ask<Machines>>()
  readonly #warned = new Set<string>()

  constructor(settings: ProviderSettings, { clock, ...rest }: GcpCatalogOptions = {}) {
    this.#settings = settings
    this.#connection = new GcpConnection(settings)
    this.#compute = new GcpRest(this.#connection, 'COMPUTE', rest)
    const billing = new GcpRest(this.#connection, 'BILLING', rest)
    this.#sources = new KeptSources({
      cache: new PriceCache(cacheFolder('gcp', settings.env), clock),
      warn: text => this.#warn(text),
      failure: (error, doing) => this.#failure(error, doing),
      fatal: error => FATAL.includes(gcpFailureKind(error)),
      clock,
    })
    this.#prices = this.#sources.source({
      ...{ name: 'prices', what: 'the price list of Compute Engine', schema: listPricesSchema },
      ...{ freshSeconds: DAY_SECONDS, usableSeconds: USABLE_SECONDS },
      from: () => [gcpAddress(settings, 'BILLING')],
      load: async () => some(await loadListPrices(billing), 'Google names no prices of Compute Engine.'),
    })
  }

  async offers({ region = this.#region(), spot, bootDiskTypes }: OfferOptions): Promise<readonly Offer[]> {
    const [unknown] = unknownBootDiskTypes(bootDiskTypes)
    if (unknown !== undefined) {
      throw new UserError(
        `"${unknown}" in boot_disk_types is no kind of disk of Compute Engine's: use pd-standard, pd-balanced, pd-ssd, pd-extreme or hd-balanced.`,
      )
    }
    const [machines, prices] = await Promise.all([this.#machinesOf(region)(), this.#pricesOf(region)])
    if (machines.kind === 'missing') throw machines.error
    return buildOffers({ machines: machines.value, prices, spot, bootDiskTypes })
  }

  images(): Promise<readonly Image[]> {
    return this.#try('listing images', async () =>
      loadImages(this.#compute, await this.#connection.projectId(), text => this.#warn(text)),
    )
  }

  regions(): Promise<readonly Region[]> {
    return this.#try('listing regions', async () => loadRegions(this.#compute, await this.#projectPath()))
  }

  #machinesOf(region: string): Ask<Machines> {
    const known = this.#machines.get(region)
    if (known !== undefined) return known
    const made = this.#sources.source({
      ...{ name: 'machines', what: `the machine types of ${region}`, schema: machinesSchema },
      ...{ freshSeconds: 7 * DAY_SECONDS, usableSeconds: USABLE_SECONDS },
      from: async () => [region, gcpAddress(this.#settings, 'COMPUTE'), await this.#connection.projectId()],
      load: async () => {
        const machines = await loadMachines(this.#compute, await this.#projectPath(), region)
        return some(machines, `Compute Engine names no machine types for ${region}.`)
      },
    })
    this.#machines.set(region, made)
    return made
  }

  async #pricesOf(region: string): Promise<RegionPrices> {
    const prices = await this.#prices()
    const ofRegion = prices.kind === 'had' ? prices.value[region] : undefined
    if (ofRegion !== undefined) return ofRegion
    const why = prices.kind === 'had' ? `Google's price list says nothing of ${region}.` : prices.error.message
    this.#warn(`${why} Prices are estimated from those of us-central1 in 2025, spot at the most it may cost.`)
    return estimatedPrices()
  }

  #region(): string {
    const { region, zone } = this.#settings
    const known = region ?? (zone && regionOfZone(zone))
    if (known) return known
    throw new UserError('The region is not known: set "region" in the gcp section of the job file, or give --region.')
  }

  async #projectPath(): Promise<string> {
    return `/compute/v1/projects/${encodeURIComponent(await this.#connection.projectId())}`
  }

  async #try<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw await this.#failure(error, doing)
    }
  }

  async #failure(error: unknown, doing: string): Promise<Error> {
    return gcpFailure(error, { doing, projectId: await this.#connection.projectId().catch(() => undefined) })
  }

  #warn(text: string): void {
    if (this.#warned.has(text)) return
    this.#warned.add(text)
    this.#settings.onWarning?.(text)
  }
}

/** Not kept: it may be a fault of the moment. */
function some<T extends object>(value: T, otherwise: string): T {
  if (Object.keys(value).length === 0) throw new UserError(otherwise)
  return value
}
