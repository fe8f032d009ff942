// The EC2 pool passes the suite of all pools, on moto.
import { openProvider } from '../../../infra/aws/index.ts'
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
  const provider = openProvider(motoSettings(moto))
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
