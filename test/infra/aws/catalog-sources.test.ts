// When the catalogue of AWS asks its sources, and what it does without one of them.
import assert from 'node:assert/strict'
import { readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { UserError } from '../../../core/errors.ts'
import type { Offer } from '../../../infra/provider.ts'
import type { PriceSource } from '../../support/aws-price-fakes.ts'
import { offerOf, PricedRegion, SOLD } from './priced-region.ts'

const SOURCES = [
  'DescribeInstanceTypes',
  'DescribeInstanceTypeOfferings',
  'DescribeSpotPriceHistory',
  'GetProducts',
  'advisor',
] as const

describe('sources of the AWS catalog', { timeout: 60_000 }, () => {
  let region: PricedRegion
  before(async () => {
    region = await PricedRegion.open()
  })
  after(() => region.close())
  beforeEach(() => region.renew())

  it('asks each source again only when its answer has aged', async () => {
    const asked = () => [...SOURCES].map(source => region.fakes.count(source))
    await region.offers({ spot: true })
    await region.offers({ spot: false })
    const first = asked()
    await region.offers({ spot: true })
    await region.offers({ spot: false })
    assert.deepEqual(asked(), first)
    const grown = async (seconds: number) => {
      const before = asked()
      region.nowMs += seconds * 1000
      await region.offers({ spot: true })
      await region.offers({ spot: false })
      return SOURCES.filter((_, index) => (asked()[index] ?? 0) > (before[index] ?? 0))
    }
    assert.deepEqual(await grown(660), ['DescribeSpotPriceHistory'])
    assert.deepEqual(await grown(86_400), ['DescribeSpotPriceHistory', 'GetProducts', 'advisor'])
    assert.deepEqual(await grown(7 * 86_400), [...SOURCES])
  })

  it('asks anew when what it kept is cut short, of another version, or from the future', async () => {
    await region.offers({ spot: true })
    const kept = join(region.folder, 'cloud-tasks', 'aws')
    const spoil = async (text: string) => {
      const before = region.fakes.count('DescribeSpotPriceHistory')
      for (const file of await readdir(kept)) await writeFile(join(kept, file), text)
      assert.equal((await region.offers({ spot: true })).length, 6)
      return region.fakes.count('DescribeSpotPriceHistory') - before
    }
    const savedAt = new Date(region.nowMs).toISOString()
    for (const text of [
      '',
      '{"format":1,"saved',
      JSON.stringify({ format: 2, savedAt, value: {} }),
      JSON.stringify({ format: 1, savedAt, value: 'x' }),
    ]) {
      assert.ok((await spoil(text)) > 0, text)
    }
    region.nowMs -= 3600_000
    const before = region.fakes.count('DescribeSpotPriceHistory')
    await region.offers({ spot: true })
    assert.ok(region.fakes.count('DescribeSpotPriceHistory') > before)
    assert.deepEqual(
      (await readdir(kept)).filter(file => file.endsWith('.part')),
      [],
    )
  })

  it('removes what it kept long ago', async () => {
    await region.offers({ spot: true })
    const kept = join(region.folder, 'cloud-tasks', 'aws')
    const names = (await readdir(kept)).toSorted()
    const left = join(kept, 'spot-0.json.1.part')
    await writeFile(left, '{')
    await utimes(left, new Date(0), new Date(0))
    region.nowMs = Date.now() + 86_400_000
    await region.offers({ spot: true })
    assert.deepEqual((await readdir(kept)).toSorted(), names)
  })

  it('works where nothing can be kept', async () => {
    const file = join(region.folder, 'file')
    await writeFile(file, '')
    assert.equal((await region.offers({ spot: true }, file)).length, 6)
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
          region.fakes.refuse(source, how)
          const spot = await region.offers({ spot: true })
          const onDemand = await region.offers({ spot: false })
          assert.deepEqual([spot.length, onDemand.length], [spotCount, onDemandCount])
          if (how === 'denied') assert.match(region.warnings.join(' '), warning)
          assert.ok(
            region.warnings.length > 0 && region.warnings.every(text => /^[A-Z].*\.$/.test(text)),
            region.warnings.join('\n'),
          )
        })
      }
    }

    it('estimates spot prices from list prices and savings', async () => {
      region.fakes.refuse('DescribeSpotPriceHistory')
      const { priceUsdPerHour } = offerOf(await region.offers({ spot: true }), 'c7i.xlarge')
      assert.ok(Math.abs(priceUsdPerHour - 0.08) < 1e-9, String(priceUsdPerHour))
    })

    it('reads sizes, architecture and SSDs from the price list', async () => {
      const told = await region.offers({ spot: false })
      await region.forget()
      region.fakes.refuse('DescribeInstanceTypes')
      const bare = (offers: readonly Offer[]) =>
        offers.map(({ instanceType, vcpuCount, memoryGib, architecture, cpuFamily, localSsdGib, priceUsdPerHour }) =>
          [instanceType, vcpuCount, memoryGib, architecture, cpuFamily, localSsdGib, priceUsdPerHour].join(' '),
        )
      assert.deepEqual(bare(await region.offers({ spot: false })), bare(told))
    })

    it('uses older answers when there are some, and says of when', async () => {
      await region.offers({ spot: true })
      region.nowMs += 3600_000
      region.fakes.refuse('DescribeSpotPriceHistory')
      const offers = await region.offers({ spot: true })
      assert.deepEqual([offerOf(offers, 'c7i.xlarge').priceUsdPerHour, offers.length], [0.08, 6])
      assert.match(region.warnings.join(), /Using those of 20\d\d-\d\d-\d\d \d\d:\d\d UTC\./)
      region.nowMs += 6 * 3600_000
      assert.equal((await region.offers({ spot: true })).length, 5, 'too old: estimated')
    })
  })

  it('keeps no empty answer: what is sold later is offered', async () => {
    region.fakes.sell([])
    await assert.rejects(region.offers({ spot: true }), {
      name: 'UserError',
      message: /AWS names no .* for eu-central-1\./,
    })
    assert.deepEqual(region.warnings, [])
    region.fakes.sell(SOLD)
    assert.equal((await region.offers({ spot: true })).length, 6)
  })

  it('says in one sentence what is wrong when nothing can be had', async () => {
    for (const source of SOURCES) region.fakes.refuse(source)
    for (const spot of [true, false]) {
      await assert.rejects(region.offers({ spot }), (error: Error) => {
        assert.ok(error instanceof UserError)
        assert.match(error.message, /^Reading [a-z ]+ in eu-central-1 failed: AWS denied/)
        return true
      })
    }
  })

  it('stops at credentials that have expired instead of warning about each source', async () => {
    for (const source of SOURCES) region.fakes.refuse(source, 'expired')
    await assert.rejects(region.offers({ spot: true }), { name: 'UserError' })
    assert.deepEqual(region.warnings, [])
  })
})
