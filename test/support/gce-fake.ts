// Compute Engine over HTTP, as far as a pool of VMs needs it, and strict: zones with an end of capacity, quotas, slow operations,
// small pages, templates, and VMs that are preempted when the test says so. Boots nothing.
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { objectOf } from './gce-fake-bulk.ts'
import { filterOf, GceRefusal, pageOf, partOf, type Resource } from './gce-fake-query.ts'
import { GceVms, type GceVmsOptions } from './gce-fake-vms.ts'

export interface GceFakeOptions extends Partial<GceVmsOptions> {
  readonly host?: string
  readonly port?: number
  readonly projectId?: string
  /** Most entries of one page. */
  readonly pageSize?: number
  /** Who holds one of these is let in; absent = whoever sends any. */
  readonly tokens?: ReadonlySet<string>
}

export interface Fault {
  readonly method?: string
  readonly path: RegExp
  /** `'hang'` = the request is taken and never answered; `'lose'` = it is carried out and its answer lost. */
  readonly answer: { readonly status: number; readonly reason?: string; readonly message?: string } | 'hang' | 'lose'
  readonly times: number
}

export interface GceFake {
  /** For CLOUD_TASKS_GCP_COMPUTE_URL. */
  readonly endpoint: string
  readonly vms: GceVms
  /** `METHOD path?query` of all requests so far. */
  readonly requests: readonly string[]
  putTemplate(name: string, properties: Resource): void
  fail(fault: Fault): void
  close(): Promise<void>
}

const DEFAULT_ZONES = ['us-central1-a', 'us-central1-b', 'us-central1-c'] as const

export async function startGce(options: GceFakeOptions = {}): Promise<GceFake> {
  const { host = '127.0.0.1', port = 0, projectId = 'test-project', pageSize = 500, tokens } = options
  const vms = new GceVms({ projectId, zones: DEFAULT_ZONES, operationMs: 20, ...options })
  const templates = new Map<string, Resource>()
  const requests: string[] = []
  const faults: (Fault & { left: number })[] = []

  const listing = (kind: string, entries: readonly Resource[], query: URLSearchParams) => {
    if (query.get('filter') && query.get('orderBy')) {
      throw new GceRefusal(400, 'invalid', 'A filter cannot be combined with an order.')
    }
    const order = query.get('orderBy')
    if (order !== null && order !== 'creationTimestamp desc') throw new GceRefusal(400, 'invalid', `orderBy ${order}`)
    const found = entries.filter(filterOf(query.get('filter')))
    const sorted =
      order === null ? found : found.toSorted((a, b) => (String(a.insertTime) < String(b.insertTime) ? 1 : -1))
    return { kind, ...pageOf(sorted, query, pageSize) }
  }

  const aggregated = (what: string, entries: readonly Resource[], query: URLSearchParams): Resource => {
    const { items: page, ...rest } = listing(`compute#${what}AggregatedList`, entries, query)
    const items: Record<string, Resource> = {}
    for (const zone of vms.zones) {
      const here = page.filter(entry => String(entry.zone).endsWith(`/${zone}`))
      const nothing = { code: 'NO_RESULTS_ON_PAGE', message: `There are no results for scope 'zones/${zone}'.` }
      items[`zones/${zone}`] = here.length > 0 ? { [`${what}s`]: here } : { warning: nothing }
    }
    return { ...rest, items }
  }

  const routes: readonly (readonly [
    string,
    RegExp,
    (place: string[], query: URLSearchParams, body: Resource) => Resource,
  ])[] = [
    ['GET', /^aggregated\/instances$/, (_, query) => aggregated('instance', vms.list(), query)],
    ['GET', /^zones\/([^/]+)\/instances\/([^/]+)$/, ([zone = '', name = '']) => vms.find(zone, name)],
    [
      'DELETE',
      /^zones\/([^/]+)\/instances\/([^/]+)$/,
      ([zone = '', name = ''], query) => vms.remove(zone, name, query.get('requestId')),
    ],
    [
      'POST',
      /^regions\/([^/]+)\/instances\/bulkInsert$/,
      ([region = ''], query, body) => vms.insert(region, body, query.get('requestId')),
    ],
    [
      'GET',
      /^(regions|zones)\/([^/]+)\/operations\/([^/]+)$/,
      ([, place = '', name = '']) => vms.operation(place, name),
    ],
    [
      'GET',
      /^zones\/([^/]+)\/operations$/,
      ([zone = ''], query) => listing('compute#operationList', vms.operationsOf(zone), query),
    ],
    ['GET', /^regions\/([^/]+)$/, ([region = '']) => vms.region(region)],
    [
      'GET',
      /^global\/instanceTemplates\/([^/]+)$/,
      ([name = '']) => found(templates.get(name), 'global/instanceTemplates', name),
    ],
    [
      'POST',
      /^global\/instanceTemplates$/,
      (_, __, body) => {
        const name = String(body.name)
        if (templates.has(name)) throw new GceRefusal(409, 'alreadyExists', `The resource '${name}' already exists`)
        templates.set(name, body)
        return vms.done('global', 'insert', `global/instanceTemplates/${name}`)
      },
    ],
    [
      'DELETE',
      /^global\/instanceTemplates\/([^/]+)$/,
      ([name = '']) => {
        found(templates.get(name), 'global/instanceTemplates', name)
        templates.delete(name)
        return vms.done('global', 'delete', `global/instanceTemplates/${name}`)
      },
    ],
    ['GET', /^global\/operations\/([^/]+)$/, ([name = '']) => vms.operation('global', name)],
  ]

  const found = (value: Resource | undefined, place: string, name: string): Resource => {
    if (value !== undefined) return value
    throw new GceRefusal(404, 'notFound', `The resource 'projects/${projectId}/${place}/${name}' was not found`)
  }

  const answer = (request: IncomingMessage, url: URL, body: Resource): Resource => {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined || (tokens !== undefined && !tokens.has(token))) {
      throw new GceRefusal(401, 'authError', 'Request had invalid authentication credentials.')
    }
    const [, project = '', path = ''] = /^\/compute\/v1\/projects\/([^/]+)\/(.+)$/.exec(url.pathname) ?? []
    if (project !== projectId) throw new GceRefusal(404, 'notFound', `The resource 'projects/${project}' was not found`)
    for (const [method, pattern, handle] of routes) {
      const match = pattern.exec(path)
      if (match === null || method !== request.method) continue
      const value = handle(match.slice(1).map(decodeURIComponent), url.searchParams, body)
      const fields = url.searchParams.get('fields')
      return fields === null ? value : objectOf(partOf(value, fields))
    }
    throw new GceRefusal(404, 'notFound', `${request.method} ${url.pathname} is not served here.`)
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const url = new URL(request.url ?? '', 'http://compute')
      requests.push(`${request.method} ${url.pathname}${url.search}`)
      const fault = faults.find(
        ({ method = request.method, path, left }) => left > 0 && method === request.method && path.test(url.pathname),
      )
      if (fault !== undefined) fault.left--
      if (fault?.answer === 'hang') return
      try {
        if (typeof fault?.answer === 'object') {
          const { status, reason = 'backendError', message = 'Try again.' } = fault.answer
          throw new GceRefusal(status, reason, message)
        }
        const value = answer(request, url, objectOf(JSON.parse(Buffer.concat(chunks).toString() || '{}')))
        if (fault?.answer === 'lose') return void request.socket.destroy()
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
      } catch (error) {
        if (!(error instanceof GceRefusal)) throw error
        const { status: code, reason, message } = error
        const document = { error: { code, message, errors: [{ message, domain: 'global', reason }] } }
        response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(document))
      }
    })
  })
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The Compute Engine fake has no port.')

  return {
    endpoint: `http://${host}:${address.port}`,
    vms,
    requests,
    putTemplate: (name, properties) => void templates.set(name, { name, properties }),
    fail: fault => void faults.push({ ...fault, left: fault.times }),
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
