// What a job may launch, best first: the offers of a catalogue, chosen and ordered by the job's needs.
import { UserError } from '../core/errors.ts'
import type { JobConfig } from '../core/job-config.ts'
import type { Offer, OfferOptions } from '../infra/provider.ts'
import { type Choice, selectOffers } from './select-offers.ts'

/** And then, where the job allows it, what may stand in on demand for missing spot VMs. */
export async function loadChoices(
  config: JobConfig,
  loadOffers: (options: OfferOptions) => Promise<readonly Offer[]>,
): Promise<readonly Choice[]> {
  const { provider, region, pool, bootDisk } = config
  if (region === undefined && provider !== 'local') {
    throw new UserError(`Where? Set region under ${provider}: in the job file, or give --region.`)
  }
  const common = { ...(region && { region }), ...(bootDisk.types && { bootDiskTypes: bootDisk.types }) }
  const choose = async (spot: boolean) => selectOffers(await loadOffers({ ...common, spot }), config, { spot })
  const first = await choose(pool.spot)
  return pool.spot && pool.onDemandFallback !== 'never' ? [...first, ...(await choose(false))] : first
}
