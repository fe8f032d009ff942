// What every catalog and object store promises, written against the seam alone.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { UserError } from '../../core/errors.ts'
import type { Provider } from '../../infra/provider.ts'

export interface CatalogSubject {
  readonly provider: Provider
  /** A region with something to buy. */
  readonly region: string
  close(): Promise<void>
}

const LIMIT_MS = 120_000

export function catalogConformance(name: string, openSubject: () => Promise<CatalogSubject>): void {
  describe(`${name}: catalog and objects`, { timeout: LIMIT_MS }, () => {
    let subject: CatalogSubject
    before(async () => {
      subject = await openSubject()
    })
    after(() => subject.close())

    it('offers each type, zone and disk once, with a price, in zones of the region', async () => {
      const catalog = subject.provider.openCatalog()
      const zones = (await catalog.regions()).find(region => region.name === subject.region)?.zones ?? []
      for (const spot of [true, false]) {
        const offers = await catalog.offers({ region: subject.region, spot })
        assert.ok(offers.length > 0)
        const keys = offers.map(offer => `${offer.instanceType} ${offer.zone} ${offer.bootDiskType}`)
        assert.equal(new Set(keys).size, keys.length)
        for (const offer of offers) {
          assert.ok(offer.priceUsdPerHour > 0 && offer.vcpuCount > 0 && offer.memoryGib > 0, JSON.stringify(offer))
          assert.ok(zones.includes(offer.zone), offer.zone)
        }
      }
    })

    it('sells spot for no more than on demand', async () => {
      const catalog = subject.provider.openCatalog()
      const onDemand = new Map<string, number>()
      for (const offer of await catalog.offers({ region: subject.region, spot: false })) {
        onDemand.set(`${offer.instanceType} ${offer.zone} ${offer.bootDiskType}`, offer.priceUsdPerHour)
      }
      for (const offer of await catalog.offers({ region: subject.region, spot: true })) {
        const full = onDemand.get(`${offer.instanceType} ${offer.zone} ${offer.bootDiskType}`)
        assert.ok(full === undefined || offer.priceUsdPerHour <= full, JSON.stringify(offer))
      }
    })

    it('lists images', async () => {
      assert.ok((await subject.provider.openCatalog().images()).length > 0)
    })

    it('reads an object by the address that writing it gave, whatever its key and content', async () => {
      const objects = subject.provider.openObjects()
      const contents = [new Uint8Array(), Buffer.from([0, 255, 10, 13]), Buffer.alloc(3_000_000, 7)]
      for (const [index, content] of contents.entries()) {
        const url = await objects.write(`job-1/ünï cöde #${index}?%2F&+.json`, content)
        assert.deepEqual(await read(objects.read(url)), Buffer.from(content))
      }
    })

    it('keeps apart keys that look alike, and inside the store keys that try to leave it', async () => {
      const objects = subject.provider.openObjects()
      const keys = ['a/b', 'a%2Fb', 'a/../b', '../b', 'b', 'a//b']
      const urls = []
      for (const key of keys) urls.push(await objects.write(`job-1/${key}`, Buffer.from(key)))
      for (const [index, url] of urls.entries()) assert.equal(String(await read(objects.read(url))), keys[index])
      for (const url of urls) await objects.remove(url)
    })

    it('replaces an object', async () => {
      const objects = subject.provider.openObjects()
      await objects.write('job-1/twice', Buffer.from('old and long'))
      const url = await objects.write('job-1/twice', Buffer.from('new'))
      assert.equal(String(await read(objects.read(url))), 'new')
    })

    it('says in a sentence that there is nothing at an address, and removes nothing without complaint', async () => {
      const objects = subject.provider.openObjects()
      const url = await objects.write('job-1/gone', Buffer.from('x'))
      await objects.remove(url)
      await objects.remove(url)
      await assert.rejects(read(objects.read(url)), UserError)
    })
  })
}

async function read(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}
