// The Compute Engine pool passes the suite of all pools, on a fake of the service.
import { GcpPool } from '../../../infra/gcp/pool.ts'
import type { Pool, Provider } from '../../../infra/provider.ts'
import { poolConformance } from '../../conformance/pool-suite.ts'
import { startGce } from '../../support/gce-fake.ts'
import { OFFER, settingsOn, TEMPLATE } from './gce-pool.ts'

poolConformance('gcp', async () => {
  const fake = await startGce({ pageSize: 2 })
  let jobCount = 0
  return {
    open: () => providerWith(job => new GcpPool(settingsOn(fake), job, { lookMs: 5 })),
    jobId() {
      const jobId = `job-${++jobCount}`
      fake.putTemplate(`rmscr-${jobId}`, TEMPLATE)
      return jobId
    },
    capacity: undefined,
    settleSeconds: 10,
    close: () => fake.close(),
  }
})

/** What a suite of pools uses of a provider. */
function providerWith(openPool: (job: { jobId: string }) => Pool & { close(): void }): Provider {
  const pools: { close(): void }[] = []
  const missing = (): never => {
    throw new Error('A suite of pools does not need it.')
  }
  return {
    name: 'gcp',
    limits: { maxBodyBytes: 1, maxLeaseSeconds: 1, maxTotalLeaseSeconds: undefined, maxDelaySeconds: 1, maxBatch: 1 },
    openPool(job) {
      const pool = openPool(job)
      pools.push(pool)
      return pool
    },
    openCatalog: () => ({ offers: async () => [OFFER], images: async () => [], regions: async () => [] }),
    openQueue: missing,
    openInstance: missing,
    openObjects: missing,
    openNotebook: missing,
    async close() {
      for (const pool of pools) pool.close()
    },
  }
}
