// The sources of the catalogue of one region, each asked no more often than it changes. One that cannot be asked is answered
// from what was kept, with a warning, or is given to the caller as missing.
import { EC2Client } from '@aws-sdk/client-ec2'
import { PricingClient } from '@aws-sdk/client-pricing'
import type { z } from 'zod'
import { type Clock, systemClock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import type { ProviderSettings } from '../open-provider.ts'
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
import type { PriceCache } from './price-cache.ts'
import { type DiskPrices, disksSchema, loadDiskPrices } from './prices-disk.ts'
import { loadOnDemandPrices, type OnDemandPrices, onDemandSchema } from './prices-on-demand.ts'
import { pricingRegionOf } from './prices-products.ts'
import { loadSpotPrices, type SpotPrices, spotSchema } from './prices-spot.ts'

const DAY_SECONDS = 86_400
const SPOT_FRESH_SECONDS = 600 // prices move a few times a day
const SPOT_USABLE_SECONDS = 6 * 3600
const USABLE_SECONDS = 30 * DAY_SECONDS // list prices change less than once a year
const REPEAT_AFTER_MS = 60_000 // nobody waits twice in a row for what does not answer
const PRICING_ATTEMPTS = 3 // where there is no way to the price list, as in a closed network, six would take a minute

/** Nothing that follows could work either. */
const FATAL: readonly string[] = ['no_credentials', 'expired', 'bad_credentials', 'clock']

export type Answer<T> =
  | { readonly kind: 'had'; readonly value: T }
  | { readonly kind: 'missing'; readonly error: Error }

/** Rejects only if the credentials are of no use. */
export type Ask<T> = () => Promise<Answer<T>>

interface CatalogSourcesOptions {
  readonly settings: ProviderSettings
  readonly region: string
  readonly cache: PriceCache
  readonly warn: (text: string) => void
  readonly clock?: Clock | undefined
}

interface Source<T extends object> {
  readonly name: string
  /** In a sentence. */
  readonly what: string
  readonly schema: z.ZodType<T>
  readonly freshSeconds: number
  /** So long it is better than nothing. */
  readonly usableSeconds: number
  /** Besides the region: whose answer it is. */
  readonly from: () => readonly string[] | Promise<readonly string[]>
  readonly load: () => Promise<T>
}

export class CatalogSources {
  readonly types: Ask<TypeFacts[]>
  readonly zones: Ask<ZoneOfferings>
  readonly spotPrices: Ask<SpotPrices>
  readonly onDemandPrices: Ask<OnDemandPrices>
  readonly diskPrices: Ask<DiskPrices>
  readonly advice: Ask<SpotAdvice>
  readonly #options: CatalogSourcesOptions
  readonly #ec2: EC2Client
  readonly #pricing: PricingClient

  constructor(options: CatalogSourcesOptions) {
    const { settings, region, clock = systemClock } = options
    const ec2 = new EC2Client(awsClientConfig(settings, 'EC2', { region }))
    const pricingConfig = awsClientConfig(settings, 'PRICING', { region: pricingRegionOf(region) })
    const pricing = new PricingClient({ ...pricingConfig, maxAttempts: PRICING_ATTEMPTS })
    const [ec2Address, listAddress] = [awsEndpoint(settings, 'EC2') ?? '', awsEndpoint(settings, 'PRICING') ?? '']
    const advisor = advisorUrl(settings.env)
    const ask = <T extends object>(source: Source<T>) => shared(() => this.#ask(source), clock)
    this.#options = options
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

  async #ask<T extends object>({
    name,
    what,
    schema,
    from,
    load,
    freshSeconds,
    usableSeconds,
  }: Source<T>): Promise<Answer<T>> {
    const { cache, region, warn } = this.#options
    const loadSome = async () => {
      const value = await load()
      // Such as prices in another currency than USD. Not kept: it may be a fault of the moment.
      if (Object.keys(value).length === 0) throw new UserError(`AWS names no ${what} for ${region}.`)
      return value
    }
    const kept = { key: [name, region, ...(await from())] as const, schema }
    try {
      return { kind: 'had', value: (await cache.load({ ...kept, freshSeconds, load: loadSome })).value }
    } catch (cause) {
      const error = awsFailure(cause, { doing: `reading ${what}`, region })
      const old = await cache.kept({ ...kept, usableSeconds })
      if (old === undefined && FATAL.includes(awsFailureKind(cause))) throw error
      if (old === undefined) return { kind: 'missing', error }
      warn(`${error.message} Using those of ${old.savedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC.`)
      return { kind: 'had', value: old.value }
    }
  }
}

/** One answer for all who ask at the same time or soon after. */
function shared<T>(ask: () => Promise<T>, clock: Clock): () => Promise<T> {
  let last: { readonly answer: Promise<T>; readonly askedAtMs: number } | undefined
  return () => {
    if (last === undefined || clock.now() - last.askedAtMs >= REPEAT_AFTER_MS) {
      last = { answer: ask(), askedAtMs: clock.now() }
    }
    return last.answer
  }
}

/** Zone "a" of one account can be zone "c" of another. Who has no credentials is told so by the request itself. */
async function accountOf(client: EC2Client): Promise<string> {
  const credentials = await client.config.credentials().catch(() => undefined)
  return credentials?.accountId ?? credentials?.accessKeyId ?? ''
}
