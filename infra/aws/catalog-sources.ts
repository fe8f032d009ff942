// The sources of AWS for the catalogue of one region: what each is asked, and how long its answer keeps.
import { EC2Client } from '@aws-sdk/client-ec2'
import { PricingClient } from '@aws-sdk/client-pricing'
import { type Clock, systemClock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import { type Ask, type KeptSource, KeptSources } from '../kept-source.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { PriceCache } from '../price-cache.ts'
import { adviceSchema, advisorUrl, loadAdvice, type SpotAdvice } from './advisor.ts'
import {
  loadTypes,
  loadZones,
  type TypeFacts,
  typesSchema,
  type ZoneOfferings,
  zonesSchema,
} from './catalog-machines.ts'
import { awsClientConfig, awsEndpoint } from './connection.ts'
import { awsFailure, awsFailureKind } from './failure.ts'
import { type DiskPrices, disksSchema, loadDiskPrices } from './prices-disk.ts'
import { loadOnDemandPrices, type OnDemandPrices, onDemandSchema } from './prices-on-demand.ts'
import { pricingRegionOf } from './prices-products.ts'
import { loadSpotPrices, type SpotPrices, spotSchema } from './prices-spot.ts'

const DAY_SECONDS = 86_400
const SPOT_FRESH_SECONDS = 600 // prices move a few times a day
const SPOT_USABLE_SECONDS = 6 * 3600
const USABLE_SECONDS = 30 * DAY_SECONDS // list prices change less than once a year
const PRICING_ATTEMPTS = 3 // where there is no way to the price list, as in a closed network, six would take a minute

/** Nothing that follows could work either. */
const FATAL: readonly string[] = ['no_credentials', 'expired', 'bad_credentials', 'clock']

interface CatalogSourcesOptions {
  readonly settings: ProviderSettings
  readonly region: string
  readonly cache: PriceCache
  readonly warn: (text: string) => void
  readonly clock?: Clock | undefined
}

export class CatalogSources {
  readonly types: Ask<TypeFacts[]>
  readonly zones: Ask<ZoneOfferings>
  readonly spotPrices: Ask<SpotPrices>
  readonly onDemandPrices: Ask<OnDemandPrices>
  readonly diskPrices: Ask<DiskPrices>
  readonly advice: Ask<SpotAdvice>
  readonly #ec2: EC2Client
  readonly #pricing: PricingClient

  constructor(options: CatalogSourcesOptions) {
    const { settings, region, cache, warn, clock = systemClock } = options
    const ec2 = new EC2Client(awsClientConfig(settings, 'EC2', { region }))
    const pricingConfig = awsClientConfig(settings, 'PRICING', { region: pricingRegionOf(region) })
    const pricing = new PricingClient({ ...pricingConfig, maxAttempts: PRICING_ATTEMPTS })
    const [ec2Address, listAddress] = [awsEndpoint(settings, 'EC2') ?? '', awsEndpoint(settings, 'PRICING') ?? '']
    const advisor = advisorUrl(settings.env)
    const sources = new KeptSources({
      ...{ cache, warn, clock },
      failure: (error, doing) => awsFailure(error, { doing, region }),
      fatal: error => FATAL.includes(awsFailureKind(error)),
    })
    const ask = <T extends object>({ from, load, ...source }: KeptSource<T>): Ask<T> =>
      sources.source({
        ...source,
        from: async () => [region, ...(await from())],
        async load() {
          const value = await load()
          // Such as prices in another currency than USD. Not kept: it may be a fault of the moment.
          if (Object.keys(value).length === 0) throw new UserError(`AWS names no ${source.what} for ${region}.`)
          return value
        },
      })
    this.#ec2 = ec2
    this.#pricing = pricing
    this.types = ask({
      ...{ name: 'types', what: 'instance types', schema: typesSchema },
      ...{ freshSeconds: 7 * DAY_SECONDS, usableSeconds: USABLE_SECONDS },
      from: () => [ec2Address],
      load: () => loadTypes(ec2),
    })
    this.zones = ask({
      ...{ name: 'zones', what: 'the zones of instance types', schema: zonesSchema },
      ...{ freshSeconds: 7 * DAY_SECONDS, usableSeconds: USABLE_SECONDS },
      from: async () => [ec2Address, await accountOf(ec2)],
      load: () => loadZones(ec2, region),
    })
    this.spotPrices = ask({
      ...{ name: 'spot', what: 'spot prices', schema: spotSchema },
      ...{ freshSeconds: SPOT_FRESH_SECONDS, usableSeconds: SPOT_USABLE_SECONDS },
      from: async () => [ec2Address, await accountOf(ec2)],
      load: () => loadSpotPrices(ec2, region, clock),
    })
    this.onDemandPrices = ask({
      ...{ name: 'on-demand', what: 'on-demand prices', schema: onDemandSchema },
      ...{ freshSeconds: DAY_SECONDS, usableSeconds: USABLE_SECONDS },
      from: () => [listAddress],
      load: () => loadOnDemandPrices(pricing, region),
    })
    this.diskPrices = ask({
      ...{ name: 'disks', what: 'prices of disks', schema: disksSchema },
      ...{ freshSeconds: DAY_SECONDS, usableSeconds: USABLE_SECONDS },
      from: () => [listAddress],
      load: () => loadDiskPrices(pricing, region),
    })
    this.advice = ask({
      ...{ name: 'advice', what: 'rates of interruption', schema: adviceSchema },
      ...{ freshSeconds: DAY_SECONDS, usableSeconds: USABLE_SECONDS },
      from: () => [advisor],
      load: () => loadAdvice(advisor, region),
    })
  }

  close(): void {
    this.#ec2.destroy()
    this.#pricing.destroy()
  }
}

/** Zone "a" of one account can be zone "c" of another. Who has no credentials is told so by the request itself. */
async function accountOf(client: EC2Client): Promise<string> {
  const credentials = await client.config.credentials().catch(() => undefined)
  return credentials?.accountId ?? credentials?.accessKeyId ?? ''
}
