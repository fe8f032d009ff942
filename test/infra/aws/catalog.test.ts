// What the catalogue of AWS makes of what its sources tell.
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { Offer } from '../../../infra/provider.ts'
import { selectOffers } from '../../../manager/select-offers.ts'
import { configWith } from '../../manager/offers.ts'
import { offerOf, PricedRegion, SOLD, ZONE_A } from './priced-region.ts'

describe('AWS catalog', { timeout: 60_000 }, () => {
  let region: PricedRegion
  before(async () => {
    region = await PricedRegion.open()
  })
  after(() => region.close())
  beforeEach(() => region.renew())

  const places = (offers: readonly Offer[]) =>
    offers.map(offer => `${offer.instanceType} ${offer.zone.at(-1)} ${offer.priceUsdPerHour}`)

  it('offers every spot type in every zone at its price, over all pages', async () => {
    const offers = await region.offers({ spot: true })
    assert.deepEqual(places(offers), [
      'c7i.xlarge a 0.08',
      'c7i.xlarge b 0.07',
      'm8g.large b 0.02',
      't3.large a 0.09',
      'd3.xlarge a 0.3',
      'm4.large a 0.03',
    ])
    assert.ok(region.fakes.count('DescribeInstanceTypes') >= 4 && region.fakes.count('DescribeSpotPriceHistory') >= 3)
    assert.deepEqual(region.warnings, [])
  })

  it('offers on demand what has a list price, in the zones that sell it', async () => {
    const offers = await region.offers({ spot: false })
    assert.deepEqual(places(offers), [
      'c7i.xlarge a 0.2',
      'c7i.xlarge b 0.2',
      'm8g.large b 0.1',
      't3.large a 0.166',
      'd3.xlarge a 0.5',
      'm4.large a 0.12',
    ])
    assert.equal(offerOf(offers, 'c7i.xlarge').monthlyInterruptionShare, undefined)
    assert.deepEqual(region.warnings, [])
  })

  it('tells what a type is: processor, architecture, SSDs but not hard disks, accelerators, generation', async () => {
    region.fakes.sell(SOLD.map(sold => (sold.type === 'p5.4xlarge' ? { ...sold, spotUsd: { [ZONE_A]: 3 } } : sold)))
    const offers = await region.offers({ spot: true })
    const { architecture, cpuFamily, cpuRank, memoryGib, monthlyInterruptionShare } = offerOf(offers, 'm8g.large')
    assert.deepEqual(
      [architecture, cpuFamily, cpuRank, memoryGib, monthlyInterruptionShare],
      ['ARM64', 'AWS Graviton4', 23, 8, 0.25],
    )
    assert.deepEqual(
      [offerOf(offers, 'c7i.xlarge').cpuRank, offerOf(offers, 'm4.large').description],
      [21, 'previous generation'],
    )
    assert.deepEqual([offerOf(offers, 'd3.xlarge').localSsdGib, offerOf(offers, 'p5.4xlarge').localSsdGib], [0, 3800])
    assert.equal(offerOf(offers, 'p5.4xlarge').description, '1 × NVIDIA H100')
  })

  it('charges burstable types for what full use of their vCPUs costs', async () => {
    const { priceUsdPerHour, priceParts } = offerOf(await region.offers({ spot: true }), 't3.large')
    assert.equal(priceUsdPerHour, 0.09) // 0.02 and 0.05 for 70 % of each of 2 vCPUs
    assert.deepEqual(priceParts, { cpu: 0.02, cpuBurst: 0.07 })
  })

  it('adds the boot disk that the job asks for to the price', async () => {
    const priceOf = async (needs: Parameters<typeof configWith>[0]) => {
      const { bootDisk, ...config } = configWith({ instance_types: ['c7i'], ...needs })
      const [best] = selectOffers(
        await region.offers({ spot: true, ...(bootDisk.types && { bootDiskTypes: bootDisk.types }) }),
        { ...config, bootDisk },
        { spot: true },
      )
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
    assert.deepEqual(await priceOf({ total_boot_disk_size: 100, boot_disk_types: ['io2'] }), ['io2', 0.39, 0.02])
    await assert.rejects(priceOf({ boot_disk_types: ['pd-ssd'] }), /boot_disk_types pd-ssd/)
  })
})
