// The metadata server of a Compute Engine VM, strict about its header: values by path, tokens of its service account, and
// answers that wait for a value to change. Preemptions come when the test says so.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export interface GceMetadataOptions {
  /** Default: 127.0.0.1 and a free port. In a network of its own, a VM's is 169.254.169.254 and 80. */
  readonly host?: string
  readonly port?: number
  readonly projectId?: string
  readonly name?: string
  readonly machineType?: string
  readonly zone?: string
  readonly spot?: boolean
  /** Of the VM itself: startup script and facts. */
  readonly attributes?: Readonly<Record<string, string>>
  readonly serviceAccount?: string
  /** Absent = the VM runs as nobody. */
  readonly accessToken?: string
}

export interface GceMetadata {
  /** For GCE_METADATA_HOST. */
  readonly address: string
  /** Paths with their queries of all requests so far. */
  readonly requests: readonly string[]
  preempt(): void
  announceMaintenance(event: 'MIGRATE_ON_HOST_MAINTENANCE' | 'TERMINATE_ON_HOST_MAINTENANCE'): void
  /** Answers so many requests with 503, as while the VM starts. */
  fail(requestCount: number): void
  close(): Promise<void>
}

const PREFIX = '/computeMetadata/v1/'
const HEADERS = { 'metadata-flavor': 'Google', server: 'Metadata Server for VM', 'content-type': 'application/text' }

export async function startGceMetadata(options: GceMetadataOptions = {}): Promise<GceMetadata> {
  const { host = '127.0.0.1', port = 0 } = options
  const values = valuesOf(options)
  const versions = new Map<string, number>()
  const requests: string[] = []
  const waiting = new Set<{ readonly path: string; readonly answer: () => void }>()
  let failCount = 0

  const etagOf = (path: string) => `${Buffer.from(path).toString('hex').slice(-12)}${versions.get(path) ?? 0}`
  const set = (path: string, value: string) => {
    values.set(path, value)
    versions.set(path, (versions.get(path) ?? 0) + 1)
    for (const waiter of waiting) if (waiter.path === path) waiter.answer()
  }

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '', 'http://metadata')
    requests.push(`${url.pathname}${url.search}`)
    if (failCount-- > 0) return void response.writeHead(503, HEADERS).end('Service Unavailable')
    if (request.headers['metadata-flavor'] !== 'Google' || request.headers['x-forwarded-for'] !== undefined) {
      return void response.writeHead(403, HEADERS).end('Missing required header "Metadata-Flavor": "Google"')
    }
    if (request.method !== 'GET') return void response.writeHead(405, HEADERS).end()
    const path = decodeURIComponent(url.pathname).replace(PREFIX, '')
    const send = () => {
      const value = values.get(path)
      if (value === undefined) return void response.writeHead(404, HEADERS).end('Not Found')
      const type = value.startsWith('{') ? { 'content-type': 'application/json' } : {}
      response.writeHead(200, { ...HEADERS, ...type, etag: etagOf(path) }).end(value)
    }
    const wait = url.searchParams.get('wait_for_change') === 'true'
    if (!wait || (url.searchParams.get('last_etag') ?? etagOf(path)) !== etagOf(path)) {
      send()
      return
    }
    const seconds = Number(url.searchParams.get('timeout_sec') ?? 0)
    const waiter = {
      path,
      answer() {
        clearTimeout(timer)
        waiting.delete(waiter)
        send()
      },
    }
    const timer = setTimeout(waiter.answer, seconds > 0 ? seconds * 1000 : 2 ** 30)
    waiting.add(waiter)
    request.socket.on('close', () => {
      clearTimeout(timer)
      waiting.delete(waiter)
    })
  }

  const server = createServer(answer)
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The metadata fake has no port.')

  return {
    address: `${host}:${address.port}`,
    requests,
    preempt: () => set('instance/preempted', 'TRUE'),
    announceMaintenance: event => set('instance/maintenance-event', event),
    fail(requestCount) {
      failCount = requestCount
    },
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function valuesOf(options: GceMetadataOptions): Map<string, string> {
  const {
    projectId = 'test-project',
    name = 'rmscr-job-1-0123456789abcdefghijklmno',
    machineType = 'n2-standard-2',
    zone = 'us-central1-a',
    spot = true,
    attributes = {},
    serviceAccount = 'worker@test-project.iam.gserviceaccount.com',
    accessToken,
  } = options
  const number = '123456789012'
  const values = new Map([
    ['project/project-id', projectId],
    ['project/numeric-project-id', number],
    ['instance/name', name],
    ['instance/id', '4520031799277581759'],
    ['instance/hostname', `${name}.${zone}.c.${projectId}.internal`],
    ['instance/machine-type', `projects/${number}/machineTypes/${machineType}`],
    ['instance/zone', `projects/${number}/zones/${zone}`],
    ['instance/scheduling/preemptible', spot ? 'TRUE' : 'FALSE'],
    ['instance/preempted', 'FALSE'],
    ['instance/maintenance-event', 'NONE'],
    ['instance/attributes/', Object.keys(attributes).join('\n')],
    ['instance', 'attributes/\nname\nzone'], // a folder: by it the SDK finds out that it is on a VM
    ['', 'instance/\noslogin/\nproject/'],
  ])
  for (const [key, value] of Object.entries(attributes)) values.set(`instance/attributes/${key}`, value)
  if (accessToken === undefined) return values
  const token = JSON.stringify({ access_token: accessToken, expires_in: 3599, token_type: 'Bearer' })
  for (const account of ['default', serviceAccount]) {
    values.set(`instance/service-accounts/${account}/token`, token)
    values.set(`instance/service-accounts/${account}/email`, serviceAccount)
  }
  return values
}
