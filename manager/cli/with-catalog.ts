// Runs a command that needs the cloud's catalogue and nothing of a job.
import type { JobConfig } from '../../core/job-config.ts'
import { openProvider } from '../../infra/open-provider.ts'
import type { Catalog } from '../../infra/provider.ts'
import type { Invocation } from './invocation.ts'
import { loadConfig } from './load-config.ts'
import { providerSettings } from './open-job.ts'

export async function withCatalog(
  invocation: Invocation,
  show: (catalog: Catalog, config: JobConfig) => Promise<void>,
): Promise<number> {
  const { config } = await loadConfig(invocation)
  const provider = await openProvider(config.provider, providerSettings(config, invocation))
  try {
    await show(provider.openCatalog(), config)
    return 0
  } finally {
    await provider.close()
  }
}
