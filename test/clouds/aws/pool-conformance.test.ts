// The EC2 pool passes the suite of all pools, on moto.
import { AwsPool } from '../../../infra/aws/pool.ts'
import type { Provider } from '../../../infra/provider.ts'
import { poolConformance } from '../../conformance/pool-suite.ts'
import { type Moto, startMoto } from '../../support/moto.ts'
import { withTools } from '../../support/test-tools.ts'
import { makeLaunchTemplate, motoClient, motoSettings } from './moto-stack.ts'
import { OFFER } from './pool-bench.ts'

withTools(() => {
  poolConformance('aws', async () => {
    const moto = await startMoto()
    const client = motoClient(moto)
    const jobIds = Array.from({ length: 20 }, (_, index) => `job-${index}`)
    for (const jobId of jobIds) await makeLaunchTemplate(client, jobId)
    client.destroy()
    return {
      open: () => providerOn(moto),
      jobId: () => jobIds.pop() ?? 'more jobs than templates',
      capacity: undefined,
      settleSeconds: 20,
      close: () => moto.close(),
    }
  })
})

/** Moto has no prices: the suite gets one offer from here, all else from the adapter. */
function providerOn(moto: Moto): Provider {
  const pools: AwsPool[] = []
  const notHere = () => {
    throw new Error('Not part of this test.')
  }
  return {
    name: 'aws',
    limits: { maxBodyBytes: 0, maxLeaseSeconds: 0, maxTotalLeaseSeconds: 0, maxDelaySeconds: 0, maxBatch: 0 },
    openQueue: notHere,
    openInstance: notHere,
    openObjects: notHere,
    openNotebook: notHere,
    openCatalog: () => ({ offers: async () => [OFFER], images: notHere, regions: notHere }),
    openPool(job) {
      const pool = new AwsPool(motoSettings(moto), job)
      pools.push(pool)
      return pool
    },
    async close() {
      for (const pool of pools) pool.close()
    },
  }
}
