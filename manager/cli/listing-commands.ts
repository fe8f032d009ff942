// list_regions, list_images, list_instance_types: what the cloud has on offer.

import { UserError } from '../../core/errors.ts'
import type { JobConfig } from '../../core/job-config.ts'
import { openProvider } from '../../infra/open-provider.ts'
import type { Catalog, Image, Offer } from '../../infra/provider.ts'
import { renderTable } from '../render-table.ts'
import { selectOffers } from '../select-offers.ts'
import type { Invocation } from './invocation.ts'
import { loadOffers } from './load-catalog.ts'
import { loadConfig } from './load-config.ts'
import { providerSettings } from './open-job.ts'
import { type SortKeys, sortRows } from './sort-rows.ts'
import type { Terminal } from './terminal.ts'

export function listRegionsCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  return withCatalog(invocation, async catalog => {
    const prefix = options.text('prefix') ?? ''
    const regions = (await catalog.regions()).filter(({ name }) => name.startsWith(prefix))
    if (options.has('json')) return terminal.print(JSON.stringify(regions, undefined, 2))
    terminal.print(`Found ${regions.length} regions`)
    const zones = options.has('zones') || options.has('detail')
    const rows = regions.map(region => [region.name, region.description, ...(zones ? [region.zones.join(', ')] : [])])
    terminal.print(renderTable(['Region', 'Description', ...(zones ? ['Zones'] : [])], rows))
  })
}

const IMAGE_KEYS: SortKeys<Image> = {
  name: image => image.name,
  source: image => image.source,
  family: image => image.family ?? '',
}

export function listImagesCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  return withCatalog(invocation, async catalog => {
    const images = narrowed(await catalog.images(), invocation, IMAGE_KEYS, 'family,name')
    if (options.has('json')) return terminal.print(JSON.stringify(images, undefined, 2))
    const rows = images.map(({ family = '', name, source }) => [family, name, source])
    terminal.print(renderTable(['Family', 'Name', 'Source'], rows))
    terminal.print('To use one, give its name as --image.')
  })
}

const TYPE_KEYS: SortKeys<Offer> = {
  type: offer => offer.instanceType,
  name: offer => offer.instanceType,
  vcpu: offer => offer.vcpuCount,
  mem: offer => offer.memoryGib,
  price: offer => offer.priceUsdPerHour,
  price_per_cpu: offer => offer.priceUsdPerHour / offer.vcpuCount,
  zone: offer => offer.zone,
  rank: offer => offer.cpuRank,
}

/** With the constraints of the job file and the command line. */
export function listInstanceTypesCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  return withCatalog(invocation, async (catalog, config) => {
    const { spot } = config.pool
    const offers = await loadOffers(catalog, options.text('catalog'), { region: config.region, spot })
    const fitting = fittingOffers(offers, config, terminal)
    const shown = narrowed(fitting, invocation, TYPE_KEYS, 'vcpu,mem,type,zone')
    if (options.has('json')) return terminal.print(JSON.stringify(shown.map(asRow), undefined, 2))
    if (shown.length === 0) return terminal.print('No instance types found.')
    const detail = options.has('detail')
    const head = [
      'Type',
      'Arch',
      'vCPU',
      'Mem GB',
      'Disk',
      'Total $/h',
      'Zone',
      ...(detail ? ['$/h per vCPU', 'Processor', 'Rank'] : []),
    ]
    terminal.print(
      renderTable(
        head,
        shown.map(offer => cells(offer, detail)),
      ),
    )
  })
}

/** None is an answer here, not a failure. */
function fittingOffers(offers: readonly Offer[], config: JobConfig, terminal: Terminal): readonly Offer[] {
  try {
    return selectOffers(offers, config, { spot: config.pool.spot }).map(choice => choice.offer)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    terminal.log('WARNING', error.message)
    return []
  }
}

function cells(offer: Offer, detail: boolean): string[] {
  return [
    offer.instanceType,
    offer.architecture,
    String(offer.vcpuCount),
    String(offer.memoryGib),
    offer.bootDiskType ?? '',
    `$${offer.priceUsdPerHour.toFixed(4)}`,
    offer.zone,
    ...(detail
      ? [`$${(offer.priceUsdPerHour / offer.vcpuCount).toFixed(4)}`, offer.cpuFamily ?? '', String(offer.cpuRank)]
      : []),
  ]
}

/** As --catalog reads it. */
function asRow(offer: Offer) {
  return {
    instance_type: offer.instanceType,
    vcpus: offer.vcpuCount,
    memory_gb: offer.memoryGib,
    architecture: offer.architecture,
    cpu_family: offer.cpuFamily,
    cpu_rank: offer.cpuRank,
    local_ssd_gb: offer.localSsdGib,
    supports_spot: offer.spotSupported,
    zone: offer.zone,
    boot_disk_type: offer.bootDiskType,
    price_per_hour: offer.priceUsdPerHour,
  }
}

function narrowed<Row extends object>(
  rows: readonly Row[],
  { options }: Invocation,
  keys: SortKeys<Row>,
  byDefault: string,
): Row[] {
  const wanted = options.text('filter')?.toLowerCase()
  const matching = rows.filter(
    row => wanted === undefined || Object.values(row).some(field => String(field).toLowerCase().includes(wanted)),
  )
  return sortRows(matching, options.text('sort-by') ?? byDefault, keys).slice(0, options.count('limit') || undefined)
}

async function withCatalog(
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
