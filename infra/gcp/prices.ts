// Google's price list: what an hour of each part of a VM costs in each region, spot and on demand.
import { z } from 'zod'
import { parseSku } from './prices-sku.ts'
import { type GcpRest, type Json, listOf, objectOf, textOf } from './rest.ts'

const COMPUTE_ENGINE = '6F81-5844-456A' // its id as a service of Cloud Billing
const PAGE_SIZE = 5_000 // the most there is
const FIELDS =
  'nextPageToken,skus(description,category/usageType,serviceRegions,pricingInfo/pricingExpression(usageUnit,tieredRates))'
const HOURS_PER_MONTH = 730.5 // a twelfth of a year

const ratesSchema = z.record(z.string(), z.number().nonnegative())
export const listPricesSchema = z.record(z.string(), z.object({ spot: ratesSchema, onDemand: ratesSchema }))
/** By region, then by what `parseSku` calls it: USD per hour. */
export type ListPrices = z.infer<typeof listPricesSchema>
export type RegionPrices = ListPrices[string]

/** The whole list of some thirty thousand entries, of all regions at once: Google gives no other. */
export async function loadListPrices(rest: GcpRest): Promise<ListPrices> {
  const prices: ListPrices = {}
  const query = { pageSize: PAGE_SIZE, currencyCode: 'USD', fields: FIELDS }
  for await (const page of rest.pages(`/v1/services/${COMPUTE_ENGINE}/skus`, { query })) {
    for (const sku of listOf(page.skus).map(objectOf)) addSku(prices, sku)
  }
  return prices
}

/** Of two entries for the same thing the first counts. */
function addSku(prices: ListPrices, { description, category, serviceRegions, pricingInfo }: Json): void {
  const rate = parseSku(textOf(description) ?? '', textOf(objectOf(category).usageType) ?? '')
  if (rate === undefined) return
  const usd = usdPerHour(objectOf(objectOf(listOf(pricingInfo).at(-1)).pricingExpression))
  if (usd === undefined) return
  for (const region of listOf(serviceRegions).map(String)) {
    prices[region] ??= { spot: {}, onDemand: {} }
    prices[region][rate.spot ? 'spot' : 'onDemand'][rate.key] ??= usd
  }
}

/** Of the first tier that costs something: the first of all is what the month has for nothing. */
function usdPerHour({ usageUnit, tieredRates }: Json): number | undefined {
  const rates = listOf(tieredRates).map(tier => usdOf(objectOf(objectOf(tier).unitPrice)))
  if (rates.length === 0) return undefined
  const usd = rates.find(rate => rate > 0) ?? 0
  const unit = textOf(usageUnit) ?? ''
  if (/(^|[./])h$/.test(unit)) return usd
  return /(^|[./])mo$/.test(unit) ? usd / HOURS_PER_MONTH : undefined
}

/** Whole units are a text in JSON, as every 64-bit number of Google's, and billionths a number; each may be absent. */
function usdOf({ units = '0', nanos = 0 }: Json): number {
  const usd = Number(units) + Number(nanos) / 1e9
  return Number.isFinite(usd) && usd > 0 ? usd : 0
}
