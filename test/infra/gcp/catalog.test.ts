// What the catalogue of Google's cloud makes of the price list and of what Compute Engine tells.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { GcpCatalog } from '../../../infra/gcp/catalog.ts'
import { GcpConnection } from '../../../infra/gcp/connection.ts'
import { findImage } from '../../../infra/gcp/images.ts'
import { GcpRest } from '../../../infra/gcp/rest.ts'
import type { Offer, OfferOptions } from '../../../infra/provider.ts'
import { selectOffers } from '../../../manager/select-offers.ts'
import { configWith } from '../../manager/offers.ts'
import { type GcpPriceFake, PRICED_PROJECT, startGcpPriceFake } from '../../support/gcp-price-fake.ts'

const REGION = 'us-central1'

describe('GCP catalog', { timeout: 60_000 }, () => {
  let fake: GcpPriceFake
  let folder: string
  let nowMs: number
  let warnings: string[]
  before(async () => {
    fake = await startGcpPriceFake()
  })
  after(() => fake.close())
  beforeEach(async () => {
    fake.allowAll()
    folder = await mkdtemp(join(tmpdir(), 'cloud-tasks-prices-'))
    nowMs = Date.UTC(2026, 0, 1)
    warnings = []
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const settings = (more: object = {}) => ({
    ...{ region: REGION, projectId: PRICED_PROJECT, onWarning: (text: string) => void warnings.push(text) },
    env: {
      ...{ CLOUD_TASKS_GCP_BILLING_URL: fake.endpoint, CLOUD_TASKS_GCP_COMPUTE_URL: fake.endpoint },
      XDG_CACHE_HOME: folder,
    },
    ...more,
  })
  /** As one command after another: each has a catalogue of its own. */
  const open = (more: object = {}) =>
    new GcpCatalog(settings(more), { clock: { now: () => nowMs, sleep: async () => {} }, pauseMs: 1 })
  const offers = (options: OfferOptions) => open().offers(options)
  const find = (all: readonly Offer[], type: string, disk?: string) => {
    const found = all.find(offer => offer.instanceType === type && (disk ?? offer.bootDiskType) === offer.bootDiskType)
    assert.ok(found !== undefined, `${type} is offered`)
    return found
  }
  const prices = (all: readonly Offer[]) =>
    Object.fromEntries(all.map(({ instanceType, priceUsdPerHour }) => [instanceType, priceUsdPerHour]))

  it('prices each type by its vCPUs, memory, SSDs and accelerators, over all pages', async () => {
    assert.deepEqual(prices(await offers({ spot: false })), {
      'e2-medium': 0.032, // one vCPU for long, of the two that it shows
      'e2-standard-4': 0.128,
      'n1-standard-1': 0.045,
      'n2d-standard-2': 0.088,
      'c2-standard-4': 0.216,
      'c3-standard-8-lssd': 0.475, // 0.272 + 0.128 + 750 GiB
      'c4a-standard-2': 0.094,
      'z3-highmem-14-standardlssd': 1.522, // 0.7 + 0.672 + 3,000 GiB at the price of its own SSDs
      'm2-ultramem-208': 43.648, // m1 and a premium
      'a2-highgpu-2g': 6.448, // 0.768 + 0.68 + two at 2.5
    })
    assert.deepEqual(warnings, [])
  })

  it('prices spot from the entries for spot, and leaves out what has none', async () => {
    const spot = prices(await offers({ spot: true }))
    assert.deepEqual(
      [spot['e2-standard-4'], spot['c3-standard-8-lssd'], spot['a2-highgpu-2g'], spot['m2-ultramem-208']],
      [0.048, 0.142, 2.41, undefined],
    )
    const onDemand = await offers({ spot: false })
    assert.equal(find(onDemand, 'm2-ultramem-208').spotSupported, false)
    assert.equal(find(onDemand, 'e2-standard-4').spotSupported, true)
  })

  it('tells what a type is, and the zones that have it', async () => {
    const all = await offers({ spot: true })
    const { architecture, cpuFamily, cpuRank, memoryGib } = find(all, 'c4a-standard-2')
    assert.deepEqual([architecture, cpuFamily, cpuRank, memoryGib], ['ARM64', 'Google Axion', 27, 8])
    assert.deepEqual([find(all, 'n1-standard-1').memoryGib, find(all, 'n1-standard-1').cpuRank], [3.75, 6])
    assert.equal(find(all, 'z3-highmem-14-standardlssd').localSsdGib, 3000)
    const zones = (type: string) => new Set(all.filter(one => one.instanceType === type).map(({ zone }) => zone))
    assert.deepEqual([...zones('n2d-standard-2')], ['us-central1-a'])
    assert.deepEqual([...zones('c4a-standard-2')], ['us-central1-a', 'us-central1-b'])
    assert.equal(find(all, 'e2-medium').vcpuCount, 1)
  })

  it('offers each family with the boot disks that it boots from, under the words of the job file', async () => {
    const disks = (all: readonly Offer[], type: string) =>
      all.filter(one => one.instanceType === type && one.zone === 'us-central1-a').map(one => one.bootDiskType)
    const all = await offers({ spot: true })
    assert.deepEqual(disks(all, 'c3-standard-8-lssd'), ['hd-balanced', 'pd-balanced', 'pd-ssd'])
    assert.deepEqual(disks(all, 'c4a-standard-2'), ['hd-balanced'])
    const some = await offers({ spot: true, bootDiskTypes: ['pd-ssd', 'hyperdisk-balanced'] })
    assert.deepEqual(disks(some, 'c4a-standard-2'), ['hyperdisk-balanced'])
    assert.deepEqual(disks(some, 'e2-standard-4'), ['pd-ssd'])
    await assert.rejects(offers({ spot: true, bootDiskTypes: ['gp3'] }), {
      name: 'UserError',
      message: /^"gp3" in boot_disk_types is no kind of disk/,
    })
  })

  it('adds the boot disk that the job asks for to the price', async () => {
    const partsOf = async (needs: Parameters<typeof configWith>[0]) => {
      const config = configWith({ instance_types: ['c3'], total_boot_disk_size: 100, ...needs })
      const types = config.bootDisk.types
      const all = await offers({ spot: true, ...(types && { bootDiskTypes: types }) })
      const [best] = selectOffers(all, config, { spot: true })
      const { bootDisk, bootDiskIops, bootDiskThroughput } = best?.offer.priceParts ?? {}
      return [best?.offer.priceUsdPerHour, bootDisk, bootDiskIops, bootDiskThroughput]
    }
    assert.deepEqual(await partsOf({ boot_disk_types: ['pd-balanced'] }), [0.152, 0.01, 0, 0])
    // 120 IOPS and 30 MiB/s beyond what comes with every disk.
    assert.deepEqual(await partsOf({ boot_disk_types: ['hd-balanced'] }), [0.1562, 0.01, 0.0012, 0.003])
    const more = { boot_disk_types: ['hd-balanced'], boot_disk_iops: 4000, boot_disk_throughput: 240 }
    assert.deepEqual(await partsOf(more), [0.172, 0.01, 0.01, 0.01])
  })

  it('asks for the price list once a day, and for machine types once a week', async () => {
    const grown = async (seconds: number) => {
      const [prices, machines] = [fake.count('prices'), fake.count('machines')]
      nowMs += seconds * 1000
      await offers({ spot: true })
      await offers({ spot: false })
      return [fake.count('prices') > prices, fake.count('machines') > machines]
    }
    assert.deepEqual(await grown(0), [true, true])
    assert.deepEqual(await grown(3600), [false, false])
    assert.deepEqual(await grown(86_400), [true, false])
    assert.deepEqual(await grown(7 * 86_400), [true, true])
  })

  it('uses what it kept while the price list is refused, and says so', async () => {
    const before = prices(await offers({ spot: true }))
    fake.refuse('prices')
    nowMs += 2 * 86_400_000
    assert.deepEqual(prices(await offers({ spot: true })), before)
    assert.match(warnings.join(), /Reading the price list of Compute Engine .* Using those of 2026-01-01 00:00 UTC\.$/)
  })

  it('estimates prices, with a warning, where the price list was never readable', async () => {
    fake.refuse('prices', 'disabled')
    const catalog = open()
    const spot = await catalog.offers({ spot: true })
    const onDemand = prices(await catalog.offers({ spot: false }))
    assert.ok(spot.length > 10)
    for (const offer of spot) assert.ok(offer.priceUsdPerHour < (onDemand[offer.instanceType] ?? 0), offer.instanceType)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0] ?? '', /Prices are estimated from those of us-central1/)
  })

  it('says in a sentence that machine types may not be listed, or which region is missing', async () => {
    fake.refuse('machines')
    await assert.rejects(offers({ spot: true, region: 'europe-west4' }), {
      name: 'UserError',
      message: /^Reading the machine types of europe-west4 in project test-project failed: /,
    })
    await assert.rejects(open({ region: undefined }).offers({ spot: true }), /set "region" in the gcp section/)
  })

  it('knows the names and zones of regions', async () => {
    const [europe, america] = await open().regions()
    assert.deepEqual([europe?.name, europe?.description, europe?.status], ['europe-west4', 'Netherlands', 'UP'])
    assert.deepEqual(america?.zones, ['us-central1-a', 'us-central1-b'])
  })

  it('lists images of the public projects and its own, without the deprecated ones', async () => {
    const images = await open().images()
    assert.deepEqual(
      images.map(({ name, project, own = false }) => [name, project, own]),
      [
        ['debian-12-v1', 'debian-cloud', false],
        ['twice-v1', 'rocky-linux-cloud', false],
        ['ubuntu-2404-noble-amd64-v1', 'ubuntu-os-cloud', false],
        ['ubuntu-2404-noble-arm64-v1', 'ubuntu-os-cloud', false],
        ['mine-v1', 'test-project', true],
        ['twice-v2', 'test-project', true],
      ],
    )
    assert.equal(images[0]?.createdAt?.toISOString(), '2026-01-02T11:04:05.000Z')
  })

  it('finds the image that a job means: Ubuntu for its architecture, a path, a family, a name', async () => {
    const rest = new GcpRest(new GcpConnection(settings()), 'COMPUTE')
    const image = (name: string | undefined, architecture: 'X86_64' | 'ARM64' = 'X86_64') =>
      findImage(rest, PRICED_PROJECT, { image: name, architecture })
    const ubuntu = 'projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-'
    assert.deepEqual([await image(undefined), await image(undefined, 'ARM64')], [`${ubuntu}amd64`, `${ubuntu}arm64`])
    assert.equal(await image('projects/p/global/images/i'), 'projects/p/global/images/i')
    assert.equal(await image('debian-12'), 'projects/debian-cloud/global/images/family/debian-12')
    assert.equal(await image('mine-v1'), 'projects/test-project/global/images/mine-v1')
    await assert.rejects(image('none'), { name: 'UserError', message: /^There is no image or family of images "none"/ })
    await assert.rejects(image('twice'), { name: 'UserError', message: /is in several projects: give it as one of / })
    await assert.rejects(image('debian-12', 'ARM64'), { name: 'UserError', message: /is for X86_64, but the job's/ })
  })
})
