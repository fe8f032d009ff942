// The sources of the catalogue of Google's cloud on a loopback port: the price list, and Compute Engine's machine types, regions
// and images. Small pages, so that paging is always in play; each source can be refused.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { IMAGES, MACHINES, SKUS } from './gcp-price-fake-facts.ts'

export type GcpPriceSource = 'prices' | 'machines' | 'images'

export interface GcpPriceFake {
  /** For CLOUD_TASKS_GCP_BILLING_URL and CLOUD_TASKS_GCP_COMPUTE_URL. */
  readonly endpoint: string
  /** Requests so far, refused ones too. */
  count(source: GcpPriceSource): number
  refuse(source: GcpPriceSource, how?: 'denied' | 'disabled'): void
  allowAll(): void
  close(): Promise<void>
}

export const PRICED_PROJECT = 'test-project'
const ZONES: Readonly<Record<string, readonly string[]>> = {
  'us-central1': ['us-central1-a', 'us-central1-b'],
  'europe-west4': ['europe-west4-a'],
}

export async function startGcpPriceFake(pageSize = 3): Promise<GcpPriceFake> {
  const refused = new Map<GcpPriceSource, 'denied' | 'disabled'>()
  const counts = new Map<GcpPriceSource, number>()
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://google')
    const [status, body] = answer(url)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })

  function answer(url: URL): [status: number, body: unknown] {
    const [source, list, name] = listAt(url.pathname)
    if (source === undefined) return regionOrImage(url.pathname)
    counts.set(source, (counts.get(source) ?? 0) + 1)
    const how = refused.get(source)
    if (how !== undefined) return [403, REFUSALS[how]]
    const from = Number(url.searchParams.get('pageToken') ?? 0)
    const next = from + pageSize < list.length ? { nextPageToken: String(from + pageSize) } : {}
    return [200, { [name]: list.slice(from, from + pageSize), ...next }]
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port.')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    count: source => counts.get(source) ?? 0,
    refuse: (source, how = 'denied') => void refused.set(source, how),
    allowAll: () => refused.clear(),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function listAt(path: string): [source: GcpPriceSource | undefined, list: readonly unknown[], name: string] {
  if (path === '/v1/services/6F81-5844-456A/skus') return ['prices', SKUS, 'skus']
  const zone = /^\/compute\/v1\/projects\/test-project\/zones\/([\w-]+)\/machineTypes$/.exec(path)?.[1]
  if (zone !== undefined) return ['machines', MACHINES.filter(({ notIn }) => notIn !== zone), 'items']
  const project = /^\/compute\/v1\/projects\/([\w-]+)\/global\/images$/.exec(path)?.[1]
  if (project !== undefined) return ['images', IMAGES[project] ?? [], 'items']
  if (path === '/compute/v1/projects/test-project/regions')
    return ['machines', Object.keys(ZONES).map(regionOf), 'items']
  return [undefined, [], '']
}

function regionOrImage(path: string): [status: number, body: unknown] {
  const region = /^\/compute\/v1\/projects\/test-project\/regions\/([\w-]+)$/.exec(path)?.[1] ?? ''
  if (region in ZONES) return [200, regionOf(region)]
  const [, project = '', family, name] =
    /^\/compute\/v1\/projects\/([\w-]+)\/global\/images\/(family\/)?([\w-]+)$/.exec(path) ?? []
  const image = (IMAGES[project] ?? []).find(one => (family === undefined ? one.name : one.family) === name)
  if (image !== undefined) return [200, image]
  const message = `The resource '${path.slice('/compute/v1/'.length)}' was not found`
  return [404, { error: { code: 404, message, errors: [{ reason: 'notFound', message }] } }]
}

function regionOf(name: string): object {
  const base = `https://www.googleapis.com/compute/v1/projects/${PRICED_PROJECT}`
  const zones = (ZONES[name] ?? []).map(zone => `${base}/zones/${zone}`)
  return { name, description: name, status: 'UP', zones, selfLink: `${base}/regions/${name}` }
}

const REFUSALS = {
  denied: { error: { code: 403, message: 'The caller does not have permission', status: 'PERMISSION_DENIED' } },
  disabled: {
    error: {
      ...{ code: 403, status: 'PERMISSION_DENIED' },
      message: 'Cloud Billing API has not been used in project 1 before or it is disabled.',
      details: [{ reason: 'SERVICE_DISABLED' }],
    },
  },
}
