// A region of AWS that sells a handful of types, and the catalogue asked as one command after another would: each with a
// catalogue of its own, all with one cache folder and one clock.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AwsCatalog } from '../../../infra/aws/catalog.ts'
import type { Offer, OfferOptions } from '../../../infra/provider.ts'
import { type PriceFakes, type SoldType, startPriceFakes } from '../../support/aws-price-fakes.ts'

const REGION = 'eu-central-1'
export const ZONE_A = `${REGION}a`
const ZONE_B = `${REGION}b`

export const SOLD: readonly SoldType[] = [
  {
    type: 'm4.large',
    vcpus: 2,
    memoryGib: 8,
    previous: true,
    spotUsd: { [ZONE_A]: 0.03 },
    onDemandUsd: 0.12,
    advice: { band: 0, savings: 75 },
  },
  {
    type: 'c7i.xlarge',
    vcpus: 4,
    memoryGib: 8,
    spotUsd: { [ZONE_A]: 0.08, [ZONE_B]: 0.07 },
    onDemandUsd: 0.2,
    advice: { band: 1, savings: 60 },
  },
  {
    type: 'm8g.large',
    vcpus: 2,
    memoryGib: 8,
    arm: true,
    manufacturer: 'AWS',
    spotUsd: { [ZONE_B]: 0.02 },
    onDemandUsd: 0.1,
    advice: { band: 4, savings: 80 },
  },
  {
    type: 't3.large',
    vcpus: 2,
    memoryGib: 8,
    burstable: true,
    spotUsd: { [ZONE_A]: 0.02 },
    onDemandUsd: 0.096,
    advice: { band: 2, savings: 70 },
  },
  { type: 'c6id.metal', vcpus: 128, memoryGib: 256, bareMetal: true, spotUsd: { [ZONE_A]: 1 }, onDemandUsd: 6 },
  {
    type: 'p5.4xlarge',
    vcpus: 16,
    memoryGib: 1952,
    gpu: 'H100',
    spotUsd: {},
    onDemandUsd: 7,
    ssd: [{ gigabytes: 1900, count: 2, kind: 'ssd' }],
  },
  {
    type: 'd3.xlarge',
    vcpus: 4,
    memoryGib: 32,
    spotUsd: { [ZONE_A]: 0.3 },
    onDemandUsd: 0.5,
    ssd: [{ gigabytes: 2000, count: 3, kind: 'hdd' }],
  },
]

export class PricedRegion {
  readonly fakes: PriceFakes
  readonly warnings: string[] = []
  nowMs = Date.UTC(2026, 0, 1)
  #folder: string

  constructor(fakes: PriceFakes, folder: string) {
    this.fakes = fakes
    this.#folder = folder
  }

  static async open(): Promise<PricedRegion> {
    return new PricedRegion(await startPriceFakes(REGION, SOLD), await makeFolder())
  }

  get folder(): string {
    return this.#folder
  }

  async close(): Promise<void> {
    await this.fakes.close()
    await this.forget()
  }

  /** As on a new machine, with all sources well. */
  async renew(): Promise<void> {
    await this.forget()
    this.#folder = await makeFolder()
    this.fakes.allowAll()
    this.fakes.sell(SOLD)
    this.warnings.length = 0
  }

  /** What was kept. */
  forget(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true })
  }

  async offers(options: OfferOptions, cacheHome = this.#folder): Promise<readonly Offer[]> {
    const { endpoint, advisorUrl } = this.fakes
    const settings = {
      ...{ region: REGION, accessKey: 'key', secretKey: 'secret' },
      onWarning: (text: string) => void this.warnings.push(text),
      env: {
        ...{ AWS_ENDPOINT_URL_EC2: endpoint, AWS_ENDPOINT_URL_PRICING: endpoint },
        ...{ CLOUD_TASKS_SPOT_ADVISOR_URL: advisorUrl, XDG_CACHE_HOME: cacheHome },
      },
    }
    const catalog = new AwsCatalog(settings, { clock: { now: () => this.nowMs, sleep: async () => {} } })
    try {
      return await catalog.offers(options)
    } finally {
      catalog.close()
    }
  }
}

export function offerOf(offers: readonly Offer[], type: string): Offer {
  const found = offers.find(offer => offer.instanceType === type)
  assert.ok(found !== undefined, `${type} is offered`)
  return found
}

function makeFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'cloud-tasks-prices-'))
}
