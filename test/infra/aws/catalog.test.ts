// The catalogue of AWS against sources that page, refuse and break.
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { UserError } from '../../../core/errors.ts'
import { AwsCatalog } from '../../../infra/aws/catalog.ts'
import type { Offer } from '../../../infra/provider.ts'
import { selectOffers } from '../../../manager/select-offers.ts'
import { configWith } from '../../manager/offers.ts'
import { type PriceFakes, type PriceSource, type SoldType, startPriceFakes } from '../../support/aws-price-fakes.ts'

const REGION = 'eu-central-1'
const A = `${REGION}a`
const B = `${REGION}b`

const SOLD: readonly SoldType[] = [
  {
    type: 'm4.large',
    vcpus: 2,
    memoryGib: 8,
    previous: true,
    spotUsd: { [A]: 0.03 },
    onDemandUsd: 0.12,
    advice: { band: 0, savings: 75 },
  },
  {
    type: 'c7i.xlarge',
    vcpus: 4,
    memoryGib: 8,
    spotUsd: { [A]: 0.08, [B]: 0.07 },
    onDemandUsd: 0.2,
    advice: { band: 1, savings: 60 },
  },
  {
    type: 'm8g.large',
    vcpus: 2,
    memoryGib: 8,
    arm: true,
    manufacturer: 'AWS',
    spotUsd: { [B]: 0.02 },
    onDemandUsd: 0.1,
    advice: { band: 4, savings: 80 },
  },
  {
    type: 't3.large',
    vcpus: 2,
    memoryGib: 8,
    burstable: true,
    spotUsd: { [A]: 0.02 },
    onDemandUsd: 0.096,
    advice: { band: 2, savings: 70 },
  },
  { type: 'c6id.metal', vcpus: 128, memoryGib: 256, bareMetal: true, spotUsd: { [A]: 1 }, onDemandUsd: 6 },
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
    spotUsd: { [A]: 0.3 },
    onDemandUsd: 0.5,
    ssd: [{ gigabytes: 2000, count: 3, kind: 'hdd' }],
  },
]

describe('AWS catalog', { timeout: 60_000 }, () => {
  let fakes: PriceFakes
  let folder: string
  let nowMs = Date.UTC(2026, 0, 1)
  const warnings: string[] = []

  before(async () => {
    fakes = await startPriceFakes(REGION, SOLD)
  })
  after(() => fakes.close())
  beforeEach(async () => {
    fakes.allowAll()
    fakes.sell(SOLD)
    warnings.length = 0
    folder = await mkdtemp(join(tmpdir(), 'cloud-tasks-prices-'))
  })

  function open(env: Record<string, string> = {}): AwsCatalog {
    const { endpoint, advisorUrl } = fakes
    return new AwsCatalog(
      {
        ...{ region: REGION, accessKey: 'key', secretKey: 'secret', onWarning: text => void warnings.push(text) },
        env: {
          ...{ AWS_ENDPOINT_URL_EC2: endpoint, AWS_ENDPOINT_URL_PRICING: endpoint },
          ...{ CLOUD_TASKS_SPOT_ADVISOR_URL: advisorUrl, XDG_CACHE_HOME: folder, ...env },
        },
      },
      { clock: { now: () => nowMs, sleep: async () => {} } },
    )
  }

  async function offersOf(spot: boolean, bootDiskTypes?: readonly string[]): Promise<readonly Offer[]> {
    const catalog = open()
    try {
      return await catalog.offers({ spot, ...(bootDiskTypes && { bootDiskTypes }) })
    } finally {
      catalog.close()
    }
  }

  const places = (offers: readonly Offer[]) =>
    offers.map(offer => `${offer.instanceType} ${offer.zone.at(-1)} ${offer.priceUsdPerHour}`)
  const one = (offers: readonly Offer[], type: string) => {
    const found = offers.find(offer => offer.instanceType === type)
    assert.ok(found !== undefined, `${type} is offered`)
    return found
  }

  it('offers every spot type in every zone at its price, over all pages', async () => {
    const offers = await offersOf(true)
    assert.deepEqual(places(offers), [
      'c7i.xlarge a 0.08',
      'c7i.xlarge b 0.07',
      'm8g.large b 0.02',
      't3.large a 0.09',
      'd3.xlarge a 0.3',
      'm4.large a 0.03',
    ])
    assert.ok(fakes.count('DescribeInstanceTypes') >= 4 && fakes.count('DescribeSpotPriceHistory') >= 3)
    assert.deepEqual(warnings, [])
  })

  it('offers on demand what has a list price, in the zones that sell it', async () => {
    const offers = await offersOf(false)
    assert.deepEqual(places(offers), [
      'c7i.xlarge a 0.2',
      'c7i.xlarge b 0.2',
      'm8g.large b 0.1',
      't3.large a 0.166',
      'd3.xlarge a 0.5',
      'm4.large a 0.12',
    ])
    assert.equal(one(offers, 'c7i.xlarge').monthlyInterruptionShare, undefined)
    assert.deepEqual(warnings, [])
  })

  it('tells what a type is: processor, architecture, SSDs but not hard disks, accelerators, generation', async () => {
    fakes.sell(SOLD.map(sold => (sold.type === 'p5.4xlarge' ? { ...sold, spotUsd: { [A]: 3 } } : sold)))
    const offers = await offersOf(true)
    const { architecture, cpuFamily, cpuRank, memoryGib, monthlyInterruptionShare } = one(offers, 'm8g.large')
    assert.deepEqual(
      [architecture, cpuFamily, cpuRank, memoryGib, monthlyInterruptionShare],
      ['ARM64', 'AWS Graviton4', 23, 8, 0.25],
    )
    assert.deepEqual(
      [one(offers, 'c7i.xlarge').cpuRank, one(offers, 'm4.large').description],
      [21, 'previous generation'],
    )
    assert.deepEqual([one(offers, 'd3.xlarge').localSsdGib, one(offers, 'p5.4xlarge').localSsdGib], [0, 3800])
    assert.equal(one(offers, 'p5.4xlarge').description, '1 × NVIDIA H100')
  })

  it('charges burstable types for what full use of their vCPUs costs', async () => {
    const { priceUsdPerHour, priceParts } = one(await offersOf(true), 't3.large')
    assert.equal(priceUsdPerHour, 0.09) // 0.02 and 0.05 for 70 % of each of 2 vCPUs
    assert.deepEqual(priceParts, { cpu: 0.02, cpuBurst: 0.07 })
  })

  it('adds the boot disk that the job asks for to the price', async () => {
    const priceOf = async (needs: Parameters<typeof configWith>[0]) => {
      const { bootDisk, ...config } = configWith({ instance_types: ['c7i'], ...needs })
      const [best] = selectOffers(await offersOf(true, bootDisk.types), { ...config, bootDisk }, { spot: true })
      return [best?.offer.bootDiskType, best?.offer.priceUsdPerHour, best?.offer.priceParts?.bootDisk]
    }
    assert.deepEqual(await priceOf({ total_boot_disk_size: 100 }), ['gp3', 0.08, 0.01])
    assert.deepEqual(await priceOf({ total_boot_disk_size: 100, boot_disk_iops: 4000, boot_disk_throughput: 225 }), [
      'gp3',
      0.1,
      0.01,
    ])
    assert.deepEqual(await priceOf({ total_boot_disk_size: 100, boot_disk_types: ['io2'], boot_disk_iops: 100 }), [
      'io2',
      0.1,
      0.02,
    ])
    await assert.rejects(priceOf({ boot_disk_types: ['pd-ssd'] }), /boot_disk_types pd-ssd/)
  })

  it('asks each source again only when its answer has aged', async () => {
    const asked = () => [...SOURCES].map(source => fakes.count(source))
    await offersOf(true)
    await offersOf(false)
    const first = asked()
    await offersOf(true)
    await offersOf(false)
    assert.deepEqual(asked(), first)
    const grown = async (seconds: number) => {
      const before = asked()
      nowMs += seconds * 1000
      await offersOf(true)
      await offersOf(false)
      return SOURCES.filter((_, index) => (asked()[index] ?? 0) > (before[index] ?? 0))
    }
    assert.deepEqual(await grown(660), ['DescribeSpotPriceHistory'])
    assert.deepEqual(await grown(86_400), ['DescribeSpotPriceHistory', 'GetProducts', 'advisor'])
    assert.deepEqual(await grown(7 * 86_400), [...SOURCES])
  })

  it('asks anew when what it kept is cut short, of another version, or from the future', async () => {
    await offersOf(true)
    const kept = join(folder, 'cloud-tasks', 'aws')
    const spoil = async (text: string) => {
      const before = fakes.count('DescribeSpotPriceHistory')
      for (const file of await readdir(kept)) await writeFile(join(kept, file), text)
      assert.equal((await offersOf(true)).length, 6)
      return fakes.count('DescribeSpotPriceHistory') - before
    }
    const savedAt = new Date(nowMs).toISOString()
    for (const text of [
      '',
      '{"format":1,"saved',
      JSON.stringify({ format: 2, savedAt, value: {} }),
      JSON.stringify({ format: 1, savedAt, value: 'x' }),
    ]) {
      assert.ok((await spoil(text)) > 0, text)
    }
    nowMs -= 3600_000
    const before = fakes.count('DescribeSpotPriceHistory')
    await offersOf(true)
    assert.ok(fakes.count('DescribeSpotPriceHistory') > before)
    assert.deepEqual(
      (await readdir(kept)).filter(file => file.endsWith('.part')),
      [],
    )
  })

  it('works where nothing can be kept', async () => {
    const file = join(folder, 'file')
    await writeFile(file, '')
    const catalog = open({ XDG_CACHE_HOME: file })
    assert.equal((await catalog.offers({ spot: true })).length, 6)
    catalog.close()
  })

  describe('with one source refused', () => {
    const cases: readonly [PriceSource, RegExp, spot: number, onDemand: number][] = [
      ['DescribeInstanceTypes', /instance types .* denied .* price list/, 6, 6],
      ['DescribeInstanceTypeOfferings', /zones of instance types .* Zones are taken from spot prices/, 6, 6],
      ['DescribeSpotPriceHistory', /spot prices .* Estimated from on-demand prices/, 5, 6],
      ['GetProducts', /prices .* Nothing is offered on demand/, 6, 0],
      ['advisor', /spot advisor .* equally likely/, 6, 6],
    ]
    for (const [source, warning, spotCount, onDemandCount] of cases) {
      for (const how of ['denied', 'broken'] as const) {
        it(`goes on without ${source} when it is ${how}, and says so`, async () => {
          fakes.refuse(source, how)
          const spot = await offersOf(true)
          const onDemand = await offersOf(false)
          assert.deepEqual([spot.length, onDemand.length], [spotCount, onDemandCount])
          if (how === 'denied') assert.match(warnings.join(' '), warning)
          assert.ok(warnings.length > 0 && warnings.every(text => /^[A-Z].*\.$/.test(text)), warnings.join('\n'))
        })
      }
    }

    it('estimates spot prices from list prices and savings', async () => {
      fakes.refuse('DescribeSpotPriceHistory')
      const { priceUsdPerHour } = one(await offersOf(true), 'c7i.xlarge')
      assert.ok(Math.abs(priceUsdPerHour - 0.08) < 1e-9, String(priceUsdPerHour))
    })

    it('reads sizes, architecture and SSDs from the price list', async () => {
      const told = await offersOf(false)
      await rm(folder, { recursive: true })
      fakes.refuse('DescribeInstanceTypes')
      const bare = (offers: readonly Offer[]) =>
        offers.map(({ instanceType, vcpuCount, memoryGib, architecture, cpuFamily, localSsdGib, priceUsdPerHour }) =>
          [instanceType, vcpuCount, memoryGib, architecture, cpuFamily, localSsdGib, priceUsdPerHour].join(' '),
        )
      assert.deepEqual(bare(await offersOf(false)), bare(told))
    })

    it('uses older answers when there are some, and says of when', async () => {
      await offersOf(true)
      nowMs += 3600_000
      fakes.refuse('DescribeSpotPriceHistory')
      const offers = await offersOf(true)
      assert.deepEqual([one(offers, 'c7i.xlarge').priceUsdPerHour, offers.length], [0.08, 6])
      assert.match(warnings.join(), /Using those of 20\d\d-\d\d-\d\d \d\d:\d\d UTC\./)
      nowMs += 6 * 3600_000
      assert.equal((await offersOf(true)).length, 5, 'too old: estimated')
    })
  })

  it('keeps no empty answer: what is sold later is offered', async () => {
    fakes.sell([])
    await assert.rejects(offersOf(true), { name: 'UserError', message: /AWS names no .* for eu-central-1\./ })
    assert.deepEqual(warnings, [])
    fakes.sell(SOLD)
    assert.equal((await offersOf(true)).length, 6)
  })

  it('says in one sentence what is wrong when nothing can be had', async () => {
    for (const source of SOURCES) fakes.refuse(source)
    for (const spot of [true, false]) {
      await assert.rejects(offersOf(spot), (error: Error) => {
        assert.ok(error instanceof UserError)
        assert.match(error.message, /^Reading [a-z ]+ in eu-central-1 failed: AWS denied/)
        return true
      })
    }
  })

  it('stops at credentials that have expired instead of warning about each source', async () => {
    for (const source of SOURCES) fakes.refuse(source, 'expired')
    await assert.rejects(offersOf(true), { name: 'UserError' })
    assert.deepEqual(warnings, [])
  })
})

const SOURCES = [
  'DescribeInstanceTypes',
  'DescribeInstanceTypeOfferings',
  'DescribeSpotPriceHistory',
  'GetProducts',
  'advisor',
] as const
