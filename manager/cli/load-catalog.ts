// Offers to choose from: the cloud's own, or those of a JSON file given with --catalog.
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { codeOf, messageOf, UserError } from '../../core/errors.ts'
import type { Catalog, Offer } from '../../infra/provider.ts'
import { loadChoices } from '../choices.ts'
import type { Choice } from '../select-offers.ts'
import type { Invocation } from './invocation.ts'
import type { OpenJob } from './open-job.ts'

const rowSchema = z.object({
  instance_type: z.string().min(1),
  vcpus: z.number().gt(0),
  memory_gb: z.number().gte(0),
  architecture: z.string().default('X86_64'),
  cpu_family: z.string().nullish(),
  cpu_rank: z.number().default(0),
  local_ssd_gb: z.number().default(0),
  supports_spot: z.boolean().default(true),
  zone: z.string().default(''),
  boot_disk_type: z.string().nullish(),
  price_per_hour: z.number().gte(0),
  price_parts: z.record(z.string(), z.number()).optional(),
  monthly_interruption_share: z.number().min(0).max(1).optional(),
  description: z.string().optional(),
})

export interface OfferQuery {
  readonly region: string | undefined
  readonly spot: boolean
  readonly bootDiskTypes: readonly string[] | undefined
}

export async function loadOffers(
  catalog: Catalog,
  file: string | undefined,
  query: OfferQuery,
): Promise<readonly Offer[]> {
  if (file !== undefined) return readCatalogFile(file)
  const { region, spot, bootDiskTypes } = query
  return catalog.offers({ spot, ...(region && { region }), ...(bootDiskTypes && { bootDiskTypes }) })
}

/** Those of the job's cloud, or of the file given with --catalog. */
export function loadJobChoices(
  { config, provider }: OpenJob,
  { options }: Pick<Invocation, 'options'>,
): Promise<readonly Choice[]> {
  const catalog = provider.openCatalog()
  return loadChoices(config, ({ region, spot, bootDiskTypes }) =>
    loadOffers(catalog, options.text('catalog'), { region, spot, bootDiskTypes }),
  )
}

export async function readCatalogFile(file: string): Promise<Offer[]> {
  let content: unknown
  try {
    content = JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    const why = codeOf(cause) === 'ENOENT' ? 'does not exist' : `cannot be read as JSON: ${messageOf(cause)}`
    throw new UserError(`Catalog ${file} ${why}.`, { cause })
  }
  const rows = z.array(rowSchema).safeParse(content)
  if (!rows.success) {
    const [issue] = rows.error.issues
    throw new UserError(`Catalog ${file}: ${issue?.path.join('.') || 'the top level'}: ${issue?.message}.`)
  }
  return rows.data.map(row => ({
    instanceType: row.instance_type,
    vcpuCount: row.vcpus,
    memoryGib: row.memory_gb,
    architecture: /^(arm64|aarch64)$/i.test(row.architecture) ? 'ARM64' : 'X86_64',
    cpuFamily: row.cpu_family ?? undefined,
    cpuRank: row.cpu_rank,
    localSsdGib: row.local_ssd_gb,
    spotSupported: row.supports_spot,
    zone: row.zone,
    bootDiskType: row.boot_disk_type ?? undefined,
    priceUsdPerHour: row.price_per_hour,
    ...(row.price_parts === undefined ? undefined : { priceParts: row.price_parts }),
    ...(row.monthly_interruption_share === undefined
      ? undefined
      : { monthlyInterruptionShare: row.monthly_interruption_share }),
    ...(row.description === undefined ? undefined : { description: row.description }),
  }))
}
