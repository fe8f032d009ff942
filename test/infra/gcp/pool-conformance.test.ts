// The Compute Engine pool passes the suite of all pools, on a fake of the service.
import { openProvider } from '../../../infra/gcp/index.ts'
import type { Provider } from '../../../infra/provider.ts'
import { poolConformance } from '../../conformance/pool-suite.ts'
import { type GceFake, startGce } from '../../support/gce-fake.ts'
import { OFFER, settingsOn, TEMPLATE } from './gce-pool.ts'

poolConformance('gcp', async () => {
  const fake = await startGce({ pageSize: 2 })
  let jobCount = 0
  return {
    open: () => providerOn(fake),
    jobId() {
      const jobId = `job-${++jobCount}`
      fake.putTemplate(`rmscr-${jobId}`, TEMPLATE)
      return jobId
    },
    capacity: undefined,
    settleSeconds: 20,
    close: () => fake.close(),
  }
})

/** The suite gets one offer from here, all else from the adapter. */
function providerOn(fake: GceFake): Provider {
  const provider = openProvider(settingsOn(fake))
  return {
    name: provider.name,
    limits: provider.limits,
    openQueue: (name, options) => provider.openQueue(name, options),
    openPool: job => provider.openPool(job),
    openInstance: () => provider.openInstance(),
    openCatalog: () => ({
      offers: async () => [OFFER],
      images: () => provider.openCatalog().images(),
      regions: () => provider.openCatalog().regions(),
    }),
    openObjects: () => provider.openObjects(),
    openNotebook: job => provider.openNotebook(job),
    close: () => provider.close(),
  }
}
