// list_regions and list_images: where VMs can run and what they can boot from.
import type { Image, Region } from '../../infra/provider.ts'
import { renderTable } from '../render-table.ts'
import type { Invocation } from './invocation.ts'
import { narrowRows } from './narrow-rows.ts'
import { renderFacts } from './render-facts.ts'
import type { SortKeys } from './sort-rows.ts'
import { withCatalog } from './with-catalog.ts'

export function listRegionsCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  return withCatalog(invocation, async catalog => {
    const prefix = options.text('prefix') ?? ''
    const regions = (await catalog.regions())
      .filter(({ name }) => name.startsWith(prefix))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    if (options.has('json')) return terminal.print(JSON.stringify(regions, undefined, 2))
    if (regions.length === 0)
      return terminal.print(`No regions found${prefix === '' ? '' : ` with prefix '${prefix}'`}`)
    terminal.print(`Found ${regions.length} regions${prefix === '' ? ':' : ` (filtered by prefix: ${prefix})`}`)
    if (options.has('detail')) return terminal.print(regions.map(regionFacts).join('\n\n'))
    const zones = options.has('zones')
    const rows = regions.map(region => [region.name, region.description, ...(zones ? [zonesOf(region)] : [])])
    terminal.print(renderTable(['Region', 'Description', ...(zones ? ['Zones'] : [])], rows))
  })
}

function regionFacts(region: Region): string {
  const { name, description, endpoint, status } = region
  return renderFacts({
    Region: name,
    Description: description,
    Zones: zonesOf(region),
    Endpoint: endpoint,
    Status: status,
  })
}

function zonesOf({ zones }: Region): string {
  return zones.length === 0 ? 'None found' : zones.toSorted().join(', ')
}

const text = (field: (image: Image) => string | undefined) => (image: Image) => field(image) ?? ''
const [family, name, project, source, id, description, status, url] = [
  text(image => image.family),
  text(image => image.name),
  text(image => image.project),
  text(image => image.source),
  text(image => image.id),
  text(image => image.description),
  text(image => image.status),
  text(image => image.url),
] as const
const created = (image: Image) => image.createdAt?.getTime() ?? 0
const IMAGE_KEYS: SortKeys<Image> = {
  ...{ name, n: name, family, fam: family, f: family, project, proj: project, p: project, source, s: source, id },
  ...{ description, descr: description, desc: description, creation_date: created, date: created, status },
  ...{ self_link: url, link: url, url },
}

export function listImagesCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  return withCatalog(invocation, async catalog => {
    const shown = options.has('json') ? () => {} : terminal.print
    shown('Retrieving images...')
    const all = (await catalog.images()).filter(image => options.has('user') || image.own !== true)
    const images = narrowRows(all, options, { keys: IMAGE_KEYS, order: 'name' })
    if (options.has('json')) return terminal.print(JSON.stringify(images, undefined, 2))
    shown(`Found ${images.length} ${options.text('filter') === undefined ? '' : 'filtered '}images:`)
    if (options.has('detail')) terminal.print(images.map(imageFacts).join('\n\n'))
    else {
      const projects = images.some(image => image.project !== undefined)
      const rows = images.map(image => [family(image), image.name, ...(projects ? [project(image)] : []), image.source])
      terminal.print(renderTable(['Family', 'Name', ...(projects ? ['Project'] : []), 'Source'], rows))
    }
    terminal.print('To use one, give its name or its family as --image.')
  })
}

function imageFacts(image: Image): string {
  return renderFacts({
    Family: image.family,
    Name: image.name,
    Project: image.project,
    Source: image.source,
    Description: image.description,
    ID: image.id,
    Created: image.createdAt?.toISOString(),
    Status: image.status,
    URL: image.url,
  })
}
