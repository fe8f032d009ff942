// The EC2 pool passes the suite of all pools while EC2 throttles, fails, is slow and silent, and answers get lost on their
// way; and no launch, however often repeated, makes a VM too many or loses one.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DescribeInstancesCommand, type EC2Client } from '@aws-sdk/client-ec2'
import { openProvider } from '../../../infra/aws/index.ts'
import { AwsPool } from '../../../infra/aws/pool.ts'
import type { ProviderSettings } from '../../../infra/open-provider.ts'
import type { LaunchPlan, Provider } from '../../../infra/provider.ts'
import { poolConformance } from '../../conformance/pool-suite.ts'
import {
  type Exchange,
  type Fault,
  type FaultProxy,
  lostAnswer,
  lostRequest,
  silence,
  slowAnswer,
  startFaultProxy,
} from '../../support/fault-proxy.ts'
import { type Moto, startMoto } from '../../support/moto.ts'
import { withTools } from '../../support/test-tools.ts'
import { makeLaunchTemplate, motoClient, motoSettings } from './moto-stack.ts'
import { OFFER, plan } from './pool-bench.ts'
import { actionOf, failingServer, throttled } from './query-faults.ts'

const LIMIT_MS = 120_000
const FAULTS = [
  ...throttled(0.04),
  ...failingServer(0.08),
  lostRequest(0.04),
  lostAnswer(0.06),
  slowAnswer(0.05),
  silence(0.03),
]
const LOST_LAUNCH = {
  ...lostAnswer(0.3),
  name: 'lost answer to a launch',
  concerns: (exchange: Exchange) => actionOf(exchange) === 'CreateFleet',
}
const struck = new Map<string, number>()

withTools(() => {
  poolConformance('aws through bad weather', async () => {
    const { moto, proxy, settings } = await startWeather({ seed: 7, faults: FAULTS })
    const client = motoClient(moto)
    const jobIds = Array.from({ length: 20 }, (_, index) => `job-${index}`)
    for (const jobId of jobIds) await makeLaunchTemplate(client, jobId)
    client.destroy()
    return {
      open: () => providerOn(settings),
      jobId: () => jobIds.pop() ?? 'more jobs than templates',
      capacity: undefined,
      settleSeconds: 60,
      close: () => endWeather(moto, proxy),
    }
  })

  describe('aws: launches in bad weather', { timeout: LIMIT_MS }, () => {
    let moto: Moto
    let proxy: FaultProxy
    let settings: ProviderSettings
    let client: EC2Client
    before(async () => {
      ;({ moto, proxy, settings } = await startWeather({ seed: 3, faults: [LOST_LAUNCH, ...FAULTS] }))
      client = motoClient(moto)
    })
    after(async () => {
      client.destroy()
      await endWeather(moto, proxy)
    })

    /** As EC2 itself has them, in the sun. */
    const instancesOf = async (jobId: string) => {
      const filter = { Name: 'tag:rms-cloud-tasks-job-id', Values: [jobId] }
      const { Reservations = [] } = await client.send(new DescribeInstancesCommand({ Filters: [filter] }))
      return Reservations.flatMap(({ Instances = [] }) => Instances)
    }

    it('makes each VM once, tells of all of them, and ends all of them', async () => {
      const jobId = 'stormy'
      await makeLaunchTemplate(client, jobId)
      const pools = [1, 2].map(() => new AwsPool(settings, { jobId }, { pauseMs: 50 }))
      const plans = Array.from({ length: 15 }, () => plan({ vmCount: 2 }))
      // By two managers at once, the second of which has forgotten what the first was told.
      const reports = await Promise.all(
        pools.map(async pool => {
          const told: (readonly string[])[] = []
          for (const each of plans) told.push(await launchedAtLast(pool, each))
          return told
        }),
      )
      assert.deepEqual(reports[0], reports[1])
      const ids = reports[0]?.flat() ?? []
      const instances = await instancesOf(jobId)
      assert.equal(instances.length, 30)
      assert.deepEqual(instances.map(({ InstanceId }) => InstanceId).toSorted(), ids.toSorted())
      for (const { token } of plans) {
        const own = instances.filter(({ Tags = [] }) => Tags.some(({ Value }) => Value === token))
        assert.equal(own.length, 2, token)
      }
      const [pool] = pools
      const vms = (await pool?.list()) ?? []
      assert.deepEqual(vms.map(vm => vm.id).toSorted(), ids.toSorted())
      await pool?.terminate(vms.map(vm => vm.id))
      assert.deepEqual(new Set((await instancesOf(jobId)).map(({ State }) => State?.Name)), new Set(['terminated']))
      for (const each of pools) each.close()
    })
  })

  after(() => {
    const idle = [LOST_LAUNCH, ...FAULTS].map(({ name }) => name).filter(name => !struck.has(name))
    assert.deepEqual(idle, [], 'these faults never struck, so nothing was shown of them')
  })
})

/** As a manager does it: again by the same token, when EC2 could not be had at all. */
async function launchedAtLast(pool: AwsPool, each: LaunchPlan): Promise<readonly string[]> {
  for (let triesLeft = 4; ; triesLeft--) {
    try {
      const { launched, failures } = await pool.launch(each)
      assert.deepEqual(failures, [])
      return launched.map(vm => vm.id).toSorted()
    } catch (error) {
      if (triesLeft === 0) throw error
    }
  }
}

async function startWeather({ seed, faults }: { readonly seed: number; readonly faults: readonly Fault[] }) {
  const moto = await startMoto()
  const proxy = await startFaultProxy({ upstream: moto.endpoint, seed, faults })
  // By its name: moto answers wrongly to numbers.
  const { env, ...rest } = motoSettings({ endpoint: proxy.url.replace('127.0.0.1', 'localhost') })
  return { moto, proxy, settings: { ...rest, env: { ...env, CLOUD_TASKS_AWS_TIMEOUT_SECONDS: '4' } } }
}

async function endWeather(moto: Moto, proxy: FaultProxy): Promise<void> {
  await proxy.close()
  await moto.close()
  for (const [name, count] of proxy.struck) struck.set(name, (struck.get(name) ?? 0) + count)
}

/** Moto has no prices: the suite gets one offer from here, all else from the adapter. */
function providerOn(settings: ProviderSettings): Provider {
  const provider = openProvider(settings)
  return {
    name: provider.name,
    limits: provider.limits,
    openQueue: (name, options) => provider.openQueue(name, options),
    openPool: job => provider.openPool(job),
    openInstance: () => provider.openInstance(),
    openCatalog() {
      const catalog = provider.openCatalog()
      return { offers: async () => [OFFER], images: () => catalog.images(), regions: () => catalog.regions() }
    },
    openObjects: () => provider.openObjects(),
    openNotebook: job => provider.openNotebook(job),
    close: () => provider.close(),
  }
}
