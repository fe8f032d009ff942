// What AWS sells, at which price: offers, images and regions. Works with a warning while any one of its sources is denied or down.
import type { Clock } from '../../core/clock.ts'
import type { Answer } from '../kept-source.ts'
import type { ProviderSettings } from '../open-provider.ts'
import { cacheFolder, PriceCache } from '../price-cache.ts'
import type { Catalog, Image, Offer, OfferOptions, Region } from '../provider.ts'
import type { TypeFacts } from './catalog-machines.ts'
import { buildOffers } from './catalog-offers.ts'
import { loadRegions } from './catalog-regions.ts'
import { CatalogSources } from './catalog-sources.ts'
import { loadImages } from './images.ts'
import { type OnDemandPrices, typesOfPrices } from './prices-on-demand.ts'
import { awsRegion } from './region.ts'

type PricesOf = (instanceType: string) => Iterable<readonly [zone: string, usdPerHour: number]>

export class AwsCatalog implements Catalog {
  readonly #settings: ProviderSettings
  readonly #clock: Clock | undefined
  readonly #cache: PriceCache
  readonly #sources = new Map<string, CatalogSources>()
  readonly #warned = new Set<string>()

  constructor(settings: ProviderSettings, { clock }: { readonly clock?: Clock } = {}) {
    this.#settings = settings
    this.#clock = clock
    this.#cache = new PriceCache(cacheFolder('aws', settings.env), clock)
  }

  async offers({ region = awsRegion(this.#settings), spot, bootDiskTypes }: OfferOptions): Promise<readonly Offer[]> {
    const sources = this.#sourcesOf(region)
    const [types, pricesOf, disks, advice] = await Promise.all([
      this.#types(sources),
      spot ? this.#spotPrices(sources) : this.#onDemandPrices(sources),
      sources.diskPrices(),
      spot ? sources.advice() : undefined,
    ])
    return buildOffers({
      types,
      pricesOf,
      spot,
      bootDiskTypes,
      disks: this.#orElse(disks, {}, 'Boot disks are left out of the prices.'),
      advice:
        advice === undefined ? {} : this.#orElse(advice, {}, 'All types count as equally likely to be taken back.'),
    })
  }

  images(): Promise<readonly Image[]> {
    return loadImages(this.#settings)
  }

  regions(): Promise<readonly Region[]> {
    return loadRegions(this.#settings, text => this.#warn(text))
  }

  close(): void {
    for (const sources of this.#sources.values()) sources.close()
    this.#sources.clear()
  }

  async #types(sources: CatalogSources): Promise<readonly TypeFacts[]> {
    const types = await sources.types()
    if (types.kind === 'had') return types.value
    const prices = await sources.onDemandPrices()
    if (prices.kind === 'missing') throw types.error
    this.#warn(`${types.error.message} Taken from the price list, which does not say what can be had as spot.`)
    return typesOfPrices(prices.value)
  }

  async #spotPrices(sources: CatalogSources): Promise<PricesOf> {
    const [spot, zones] = await Promise.all([sources.spotPrices(), sources.zones()])
    if (spot.kind === 'missing') return this.#estimatedSpotPrices(sources, spot.error)
    const offered = this.#orElse(zones, undefined, 'Zones are taken from spot prices.')
    const soldIn = offered && new Map(Object.entries(offered).map(([zone, types]) => [zone, new Set(types)] as const))
    const byZone = Object.entries(spot.value)
    return type =>
      byZone.flatMap(([zone, prices]) => {
        const usd = prices[type]
        return usd === undefined || soldIn?.get(zone)?.has(type) === false ? [] : [[zone, usd] as const]
      })
  }

  /** What the types saved on average over the last month is the best guess at what they cost now. */
  async #estimatedSpotPrices(sources: CatalogSources, why: Error): Promise<PricesOf> {
    const [prices, advice, zonesOf] = await Promise.all([
      sources.onDemandPrices(),
      sources.advice(),
      this.#zonesOf(sources),
    ])
    if (prices.kind === 'missing' || advice.kind === 'missing') throw why
    this.#warn(`${why.message} Estimated from on-demand prices and last month's savings.`)
    return type => {
      const usd = prices.value[type]?.usdPerHour
      const saved = advice.value[type]?.savingsShare
      return usd === undefined || saved === undefined
        ? []
        : zonesOf(type).map(zone => [zone, usd * (1 - saved)] as const)
    }
  }

  async #onDemandPrices(sources: CatalogSources): Promise<PricesOf> {
    const [answer, zonesOf] = await Promise.all([sources.onDemandPrices(), this.#zonesOf(sources)])
    const prices: OnDemandPrices = this.#orElse(answer, {}, 'Nothing is offered on demand.')
    return type => {
      const usd = prices[type]?.usdPerHour
      return usd === undefined ? [] : zonesOf(type).map(zone => [zone, usd] as const)
    }
  }

  async #zonesOf(sources: CatalogSources): Promise<(instanceType: string) => readonly string[]> {
    const zones = await sources.zones()
    if (zones.kind === 'had') {
      const sold = new Map<string, string[]>()
      for (const [zone, types] of Object.entries(zones.value)) {
        for (const type of types) sold.set(type, [...(sold.get(type) ?? []), zone])
      }
      return type => sold.get(type) ?? []
    }
    const spot = await sources.spotPrices()
    if (spot.kind === 'missing') throw zones.error
    this.#warn(`${zones.error.message} Zones are taken from spot prices.`)
    const byZone = Object.entries(spot.value)
    return type => byZone.flatMap(([zone, prices]) => (prices[type] === undefined ? [] : [zone]))
  }

  #orElse<T, U>(answer: Answer<T>, otherwise: U, consequence: string): T | U {
    if (answer.kind === 'had') return answer.value
    this.#warn(`${answer.error.message} ${consequence}`)
    return otherwise
  }

  #warn(text: string): void {
    if (this.#warned.has(text)) return
    this.#warned.add(text)
    this.#settings.onWarning?.(text)
  }

  #sourcesOf(region: string): CatalogSources {
    let sources = this.#sources.get(region)
    if (sources === undefined) {
      sources = new CatalogSources({
        settings: this.#settings,
        region,
        cache: this.#cache,
        warn: text => this.#warn(text),
        clock: this.#clock,
      })
      this.#sources.set(region, sources)
    }
    return sources
  }
}
