// The catalogue on moto's real data of instance types, and the suite of all catalogues and object stores.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { CreateImageCommand, EC2Client, paginateDescribeInstanceTypes, RunInstancesCommand } from '@aws-sdk/client-ec2'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { buildApp } from 'fauxqs'
import { openProvider, type ProviderSettings } from '../../../infra/open-provider.ts'
import type { Provider } from '../../../infra/provider.ts'
import { selectOffers } from '../../../manager/select-offers.ts'
import { catalogConformance } from '../../conformance/catalog-suite.ts'
import { configWith } from '../../manager/offers.ts'
import { type PriceFakes, type SoldType, startPriceFakes } from '../../support/aws-price-fakes.ts'
import { type Moto, startMoto } from '../../support/moto.ts'
import { withTools } from '../../support/test-tools.ts'

const REGION = 'us-east-1'
const BUCKET = 'cloud-tasks-conformance'
const CREDENTIALS = { accessKeyId: 'key', secretAccessKey: 'secret' }
const MAIN = join(import.meta.dirname, '..', '..', '..', 'manager', 'main.ts')

interface Cloud {
  readonly moto: Moto
  readonly settings: ProviderSettings
  close(): Promise<void>
}

/** EC2 on moto, S3 on fauxqs, prices of every type of moto in a fake of the price list. */
async function startCloud(): Promise<Cloud> {
  const moto = await startMoto()
  const app = buildApp({ logger: false })
  const s3Endpoint = await app.listen({ port: 0, host: '127.0.0.1' })
  const s3 = new S3Client({ region: REGION, endpoint: s3Endpoint, credentials: CREDENTIALS, forcePathStyle: true })
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }))
  s3.destroy()
  const prices: PriceFakes = await startPriceFakes(REGION, await typesOf(moto), { pageSize: 100 })
  const folder = await mkdtemp(join(tmpdir(), 'cloud-tasks-catalog-'))
  return {
    moto,
    settings: {
      ...{ region: REGION, bucket: BUCKET },
      env: {
        ...{ AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey },
        ...{ AWS_ENDPOINT_URL_EC2: moto.endpoint, AWS_ENDPOINT_URL_S3: s3Endpoint },
        ...{ AWS_ENDPOINT_URL_PRICING: prices.endpoint, CLOUD_TASKS_SPOT_ADVISOR_URL: prices.advisorUrl },
        XDG_CACHE_HOME: folder,
      },
    },
    async close() {
      await Promise.all([moto.close(), app.close(), prices.close()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function typesOf(moto: Moto): Promise<SoldType[]> {
  const client = new EC2Client({ region: REGION, endpoint: moto.endpoint, credentials: CREDENTIALS })
  const sold: SoldType[] = []
  for await (const { InstanceTypes } of paginateDescribeInstanceTypes({ client, pageSize: 100 }, {})) {
    for (const { InstanceType: type = '', VCpuInfo, MemoryInfo } of InstanceTypes ?? []) {
      const [vcpus, memoryGib] = [VCpuInfo?.DefaultVCpus ?? 0, (MemoryInfo?.SizeInMiB ?? 0) / 1024]
      const onDemandUsd = 0.03 * vcpus + 0.004 * memoryGib
      sold.push({ type, vcpus, memoryGib, spotUsd: {}, onDemandUsd, advice: { band: 1, savings: 65 } })
    }
  }
  client.destroy()
  return sold
}

withTools(() => {
  catalogConformance('aws', async () => {
    const cloud = await startCloud()
    const provider = await openProvider('aws', cloud.settings)
    return {
      provider,
      region: REGION,
      close: async () => {
        await provider.close()
        await cloud.close()
      },
    }
  })

  describe("moto's instance types", { timeout: 120_000 }, () => {
    let cloud: Cloud
    let provider: Provider
    before(async () => {
      cloud = await startCloud()
      provider = await openProvider('aws', cloud.settings)
    })
    after(async () => {
      await provider.close()
      await cloud.close()
    })

    it('knows the processor of nearly all of them, on both architectures', async () => {
      const offers = await provider.openCatalog().offers({ spot: false })
      const types = new Map(offers.map(offer => [offer.instanceType, offer]))
      assert.ok(types.size > 900, `${types.size} types`)
      const unknown = [...types.values()].filter(({ cpuRank }) => cpuRank === 0)
      assert.ok(unknown.length < types.size / 100, unknown.map(({ instanceType }) => instanceType).join(' '))
      const arm = [...types.values()].filter(({ architecture }) => architecture === 'ARM64')
      assert.ok(arm.length > 200 && arm.every(({ cpuFamily }) => cpuFamily?.startsWith('AWS Graviton')))
      assert.deepEqual([types.get('m6i.metal'), types.get('i4i.large')?.localSsdGib], [undefined, 468])
    })

    it('chooses among all of them within two seconds once their facts are kept', async () => {
      await provider.openCatalog().offers({ spot: true })
      const config = configWith({ cpus_per_task: 2, min_memory_per_cpu: 4, total_boot_disk_size: 50 })
      const later = await openProvider('aws', cloud.settings)
      const startedAtMs = performance.now()
      const offers = await later.openCatalog().offers({ spot: true })
      const choices = selectOffers(offers, config, { spot: true })
      const ms = performance.now() - startedAtMs
      await later.close()
      assert.ok(offers.length > 4000 && choices.length > 1000, `${offers.length} offers, ${choices.length} choices`)
      assert.ok(ms < 2000, `${ms} ms`)
      const [best] = choices
      assert.ok((best?.offer.priceParts?.bootDisk ?? 0) > 0)
    })

    it('lists the newest Amazon Linux for both architectures, and images of the account as its own', async () => {
      const client = new EC2Client({ region: REGION, endpoint: cloud.moto.endpoint, credentials: CREDENTIALS })
      const common = (await provider.openCatalog().images()).filter(({ family }) => family === 'amazon-linux-2023')
      const newest = common.map(({ name }) => /^al2023-ami-2023\S*-kernel-6\.18-(x86_64|arm64)$/.exec(name)?.[1])
      assert.deepEqual(newest, ['x86_64', 'arm64'])
      const run = new RunInstancesCommand({
        ImageId: common[0]?.id,
        MinCount: 1,
        MaxCount: 1,
        InstanceType: 'm5.large',
      })
      const InstanceId = (await client.send(run)).Instances?.[0]?.InstanceId
      await client.send(new CreateImageCommand({ InstanceId, Name: 'mine' }))
      client.destroy()
      const own = (await provider.openCatalog().images()).filter(image => image.own)
      assert.deepEqual(
        own.map(({ name, source }) => [name, source]),
        [['mine', 'own']],
      )
    })

    it('knows names, zones and endpoints of regions', async () => {
      const regions = await provider.openCatalog().regions()
      const found = regions.find(({ name }) => name === 'eu-central-1')
      assert.deepEqual(found?.zones.toSorted(), ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'])
      assert.deepEqual([found.description, found.endpoint], ['Europe (Frankfurt)', 'ec2.eu-central-1.amazonaws.com'])
    })

    it('is listed and planned with by the command line', async () => {
      const cli = async (line: string) => {
        const env = { ...process.env, ...cloud.settings.env }
        const args = [MAIN, ...line.split(' '), '--provider', 'aws', '--region', REGION]
        const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { env, timeout: 60_000 })
        assert.equal(stderr, '')
        return stdout
      }
      const rows = JSON.parse(await cli('list_instance_types --instance-types c7i\\.large --use-spot --json'))
      assert.deepEqual(
        [rows[0].instance_type, rows[0].cpu_family, rows[0].boot_disk_type, rows[0].monthly_interruption_share],
        ['c7i.large', 'Intel Sapphire Rapids', 'gp3', 0.075],
      )
      const table = await cli('list_instance_types --instance-types t3.large --use-spot --detail')
      assert.match(table, /Burst \$\/h .* Taken back\/month/)
      assert.match(table, /t3\.large .* \$0\.07000 .* 7\.5 % /)
      const plan = await cli('plan --job-id a --tasks 1000 --seconds-per-task 60 --instance-types c7i --json')
      assert.match(JSON.parse(plan).choice.instance_type, /^c7i/)
    })
  })
})
