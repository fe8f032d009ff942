// Reads the price list of AWS: the products that fit a filter, each with its attributes and its on-demand price.
import { type PricingClient, paginateGetProducts } from '@aws-sdk/client-pricing'
import { z } from 'zod'

export interface Product {
  readonly attributes: Readonly<Record<string, string>>
  readonly family: string
  readonly usd: number
  /** As the list writes it: `Hrs`, `GB-Mo`, `IOPS-Mo`, `GiBps-mo`. */
  readonly unit: string
}

// The list's own JSON. Only what is read here.
const productSchema = z.object({
  product: z.object({
    productFamily: z.string().default(''),
    attributes: z.record(z.string(), z.string()),
  }),
  terms: z.object({
    OnDemand: z
      .record(
        z.string(),
        z.object({
          priceDimensions: z.record(
            z.string(),
            z.object({ unit: z.string(), pricePerUnit: z.record(z.string(), z.string()) }),
          ),
        }),
      )
      .optional(),
  }),
})

/** The price list is served from a few regions, each with the prices of all. https://docs.aws.amazon.com/general/latest/gr/billing.html */
export function pricingRegionOf(region: string): string {
  if (region.startsWith('cn-')) return 'cn-northwest-1'
  if (/^(eu|me|af|il)-/.test(region)) return 'eu-central-1'
  return region.startsWith('ap-') ? 'ap-south-1' : 'us-east-1'
}

/** Products without a price in USD are left out: reserved ones, and all of the partition in China. */
export async function* readProducts(
  client: PricingClient,
  filter: Readonly<Record<string, string>>,
): AsyncGenerator<Product> {
  const Filters = Object.entries(filter).map(([Field, Value]) => ({ Type: 'TERM_MATCH' as const, Field, Value }))
  const pages = paginateGetProducts({ client, pageSize: 100 }, { ServiceCode: 'AmazonEC2', Filters })
  for await (const { PriceList } of pages) {
    for (const text of PriceList ?? []) {
      const product = parseProduct(String(text))
      if (product !== undefined) yield product
    }
  }
}

function parseProduct(text: string): Product | undefined {
  const { product, terms } = productSchema.parse(JSON.parse(text))
  for (const { priceDimensions } of Object.values(terms.OnDemand ?? {})) {
    for (const { unit, pricePerUnit } of Object.values(priceDimensions)) {
      const usd = Number(pricePerUnit.USD)
      // Tiers that are free, such as the first 3,000 IOPS of a disk, have a price of 0.
      if (usd > 0) return { attributes: product.attributes, family: product.productFamily, usd, unit }
    }
  }
  return undefined
}
