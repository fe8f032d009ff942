// list_instance_types: what VMs can be had, and at which price, within the constraints of the job file and the command line.
import { UserError } from '../../core/errors.ts'
import type { JobConfig } from '../../core/job-config.ts'
import { openProvider } from '../../infra/open-provider.ts'
import type { Offer } from '../../infra/provider.ts'
import { renderTable } from '../render-table.ts'
import { type Choice, selectOffers } from '../select-offers.ts'
import type { Invocation } from './invocation.ts'
import { loadOffers, readCatalogFile } from './load-catalog.ts'
import { loadConfig } from './load-config.ts'
import { narrowRows } from './narrow-rows.ts'
import { providerSettings } from './open-job.ts'
import type { SortKeys } from './sort-rows.ts'
import type { Terminal } from './terminal.ts'

type Row = Offer & { readonly bootDiskGib: number }

const column =
  <K extends keyof Row>(key: K) =>
  (row: Row) => {
    const value = row[key]
    return typeof value === 'number' || typeof value === 'string' ? value : ''
  }
const [name, cpus, memory, ssd, disk] = [
  column('instanceType'),
  column('vcpuCount'),
  column('memoryGib'),
  column('localSsdGib'),
  column('bootDiskGib'),
]
const [family, rank, arch, price] = [
  column('cpuFamily'),
  column('cpuRank'),
  column('architecture'),
  column('priceUsdPerHour'),
]
const [zone, diskType, description] = [column('zone'), column('bootDiskType'), column('description')]
const perCpu = (row: Row) => row.priceUsdPerHour / row.vcpuCount
const part = (key: keyof NonNullable<Offer['priceParts']>) => (row: Row) => row.priceParts?.[key] ?? 0
const per = (amount: (row: Row) => number, unit: (row: Row) => number) => (row: Row) =>
  amount(row) / Math.max(unit(row), 1)
const perCpuPart = per(part('cpu'), row => row.vcpuCount)
const perGbPart = per(part('memory'), row => row.memoryGib)
const perSsdGbPart = per(part('localSsd'), row => row.localSsdGib)
const perDiskGbPart = per(part('bootDisk'), row => row.bootDiskGib)

/** The spellings of the Python package, and the words of the table's head. */
const KEYS: SortKeys<Row> = {
  ...{ type: name, t: name, name, vcpu: cpus, v: cpus, cpu: cpus, c: cpus },
  ...{ mem_gb: memory, memory, mem: memory, m: memory, ram: memory },
  ...{ local_ssd: ssd, local_ssd_gb: ssd, lssd: ssd, ssd, boot_disk: disk, boot_disk_gb: disk, disk },
  ...{
    cpu_family: family,
    family,
    processor_type: family,
    processor: family,
    p_type: family,
    ptype: family,
    pt: family,
  },
  ...{ cpu_rank: rank, performance_rank: rank, cr: rank, pr: rank, rank, r: rank },
  ...{ architecture: arch, arch, a: arch, description, d: description, desc: description },
  ...{ cpu_price: part('cpu'), cp: part('cpu'), vcpu_price: part('cpu') },
  ...{ per_cpu_price: perCpuPart, cpu_price_per_cpu: perCpuPart, vcpu_price_per_cpu: perCpuPart },
  ...{ mem_price: part('memory'), mp: part('memory'), mem_per_gb_price: perGbPart },
  ...{ boot_disk_type: diskType, boot_disk_price: part('bootDisk'), boot_disk_per_gb_price: perDiskGbPart },
  ...{ boot_disk_iops_price: part('bootDiskIops'), boot_disk_throughput_price: part('bootDiskThroughput') },
  ...{ local_ssd_price: part('localSsd'), lssd_price: part('localSsd'), ssd_price: part('localSsd') },
  ...{ local_ssd_per_gb_price: perSsdGbPart, lssd_per_gb_price: perSsdGbPart },
  ...{ total_price: price, cost: price, p: price, tp: price, price },
  ...{ total_price_per_cpu: perCpu, tp_per_cpu: perCpu, price_per_cpu: perCpu, zone, z: zone },
}

export async function listInstanceTypesCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  const { config, layered } = await loadConfig(invocation)
  // To choose from is what the defaults are for; to look at is everything.
  const machine = { ...config.machine, ...(layered.sources.architecture === undefined && { architecture: undefined }) }
  const json = options.has('json')
  if (!json) terminal.print('Retrieving instance types...\nRetrieving pricing information...')
  const choices = fitting(await offersOf(config, invocation), { ...config, machine }, terminal)
  const all = choices.map(({ offer, bootDiskGib }): Row => ({ ...offer, bootDiskGib }))
  const rows = narrowRows(all, options, { keys: KEYS, order: 'vcpu,mem,name,zone' })
  if (json) terminal.print(JSON.stringify(rows.map(asCatalogRow), undefined, 2))
  else terminal.print(rows.length === 0 ? 'No instance types found' : renderOffers(rows, options.has('detail')))
  return 0
}

async function offersOf(config: JobConfig, invocation: Invocation): Promise<readonly Offer[]> {
  const file = invocation.options.text('catalog')
  if (file !== undefined) return readCatalogFile(file)
  const provider = await openProvider(config.provider, providerSettings(config, invocation))
  try {
    const { region, pool, bootDisk } = config
    const query = { region, spot: pool.spot, bootDiskTypes: bootDisk.types }
    return await loadOffers(provider.openCatalog(), undefined, query)
  } finally {
    await provider.close()
  }
}

/** None is an answer here, not a failure. */
function fitting(offers: readonly Offer[], config: JobConfig, terminal: Terminal): readonly Choice[] {
  try {
    return selectOffers(offers, config, { spot: config.pool.spot })
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    terminal.log('WARNING', error.message)
    return []
  }
}

interface Column {
  readonly head: string
  readonly cell: (row: Row) => string
  /** Shown only if this is more than 0 for some row. */
  readonly onlyIf?: (row: Row) => number
  readonly detail?: boolean
}

const takenBack = ({ monthlyInterruptionShare: share }: Row) =>
  share === undefined ? '' : `${(share * 100).toFixed(1)} %`
const usd = (amount: (row: Row) => number, digits: number) => (row: Row) => `$${amount(row).toFixed(digits)}`
const COLUMNS: readonly Column[] = [
  { head: 'Instance Type', cell: row => row.instanceType },
  { head: 'Arch', cell: row => row.architecture },
  { head: 'vCPU', cell: row => String(row.vcpuCount) },
  { head: 'Mem GB', cell: row => row.memoryGib.toFixed(2) },
  { head: 'LSSD GB', cell: row => row.localSsdGib.toFixed(2), onlyIf: row => row.localSsdGib },
  { head: 'Disk GB', cell: row => row.bootDiskGib.toFixed(2) },
  { head: 'Boot Disk Type', cell: row => row.bootDiskType ?? '' },
  { head: 'vCPU $/vCPU/h', cell: usd(perCpuPart, 5), onlyIf: perCpuPart, detail: true },
  { head: 'Burst $/h', cell: usd(part('cpuBurst'), 5), onlyIf: part('cpuBurst'), detail: true },
  { head: 'Mem $/GB/h', cell: usd(perGbPart, 5), onlyIf: perGbPart, detail: true },
  { head: 'LSSD $/GB/h', cell: usd(perSsdGbPart, 6), onlyIf: perSsdGbPart, detail: true },
  { head: 'Disk $/GB/h', cell: usd(perDiskGbPart, 6), onlyIf: perDiskGbPart, detail: true },
  { head: 'IOPS $/h', cell: usd(part('bootDiskIops'), 5), onlyIf: part('bootDiskIops'), detail: true },
  { head: 'Thruput $/h', cell: usd(part('bootDiskThroughput'), 6), onlyIf: part('bootDiskThroughput'), detail: true },
  { head: 'Total $/h', cell: usd(row => row.priceUsdPerHour, 4) },
  { head: 'Total $/vCPU/h', cell: usd(perCpu, 5), detail: true },
  { head: 'Zone', cell: row => row.zone },
  { head: 'Processor', cell: row => row.cpuFamily ?? '', detail: true },
  { head: 'Rank', cell: row => String(row.cpuRank), detail: true },
  { head: 'Taken back/month', cell: takenBack, onlyIf: row => row.monthlyInterruptionShare ?? 0, detail: true },
  {
    head: 'Description',
    cell: row => row.description ?? '',
    onlyIf: row => row.description?.length ?? 0,
    detail: true,
  },
]

function renderOffers(rows: readonly Row[], detail: boolean): string {
  const columns = COLUMNS.filter(
    shown =>
      (detail || shown.detail !== true) &&
      (shown.onlyIf === undefined || rows.some(row => (shown.onlyIf?.(row) ?? 0) > 0)),
  )
  return renderTable(
    columns.map(({ head }) => head),
    rows.map(row => columns.map(({ cell }) => cell(row))),
  )
}

/** As --catalog reads it. */
function asCatalogRow(row: Row) {
  return {
    instance_type: row.instanceType,
    vcpus: row.vcpuCount,
    memory_gb: row.memoryGib,
    architecture: row.architecture,
    cpu_family: row.cpuFamily,
    cpu_rank: row.cpuRank,
    local_ssd_gb: row.localSsdGib,
    supports_spot: row.spotSupported,
    zone: row.zone,
    boot_disk_type: row.bootDiskType,
    boot_disk_gb: row.bootDiskGib,
    price_per_hour: row.priceUsdPerHour,
    price_parts: row.priceParts,
    monthly_interruption_share: row.monthlyInterruptionShare,
    description: row.description,
  }
}
