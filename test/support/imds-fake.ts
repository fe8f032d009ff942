// The metadata service of an EC2 VM, version 2 only and strict about it: nothing without a token, nothing at a path that
// does not exist. Interruptions come when the test says so.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'

export interface ImdsOptions {
  /** Default: 127.0.0.1 and a free port. In a network of its own, a VM's is 169.254.169.254 and 80. */
  readonly host?: string
  readonly port?: number
  readonly instanceId?: string
  readonly instanceType?: string
  readonly zone?: string
  readonly spot?: boolean
  /** Absent = the VM's template does not show its tags. */
  readonly tags?: Readonly<Record<string, string>>
  readonly role?: string
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly userData?: string
}

export interface Imds {
  /** For AWS_EC2_METADATA_SERVICE_ENDPOINT. */
  readonly endpoint: string
  /** `METHOD path` of all requests so far. */
  readonly requests: readonly string[]
  interrupt(notice?: { action?: 'terminate' | 'stop' | 'hibernate'; inSeconds?: number }): Date
  recommendRebalance(): void
  /** As after a stop and a start. */
  forgetTokens(): void
  /** Answers so many requests with 503. */
  fail(requestCount: number): void
  close(): Promise<void>
}

const ACCOUNT = '123456789012'
const ROLE_HOURS = 6

export async function startImds(options: ImdsOptions = {}): Promise<Imds> {
  const { host = '127.0.0.1', port = 0 } = options
  const tokenEndsMs = new Map<string, number>()
  const requests: string[] = []
  const notices = new Map<string, string>()
  let failCount = 0

  const answer = (request: IncomingMessage): { status: number; body?: string; headers?: Record<string, string> } => {
    const path = decodeURIComponent(request.url ?? '').replace(/(?<=.)\/+$/, '')
    requests.push(`${request.method} ${path}`)
    if (failCount-- > 0) return { status: 503 }
    if (request.method === 'PUT' && path === '/latest/api/token') {
      const ttl = request.headers['x-aws-ec2-metadata-token-ttl-seconds']
      if (!(Number(ttl) >= 1 && Number(ttl) <= 21_600)) return { status: 400 }
      if (request.headers['x-forwarded-for'] !== undefined) return { status: 403 }
      const token = randomUUID()
      tokenEndsMs.set(token, Date.now() + Number(ttl) * 1000)
      return { status: 200, body: token, headers: { 'x-aws-ec2-metadata-token-ttl-seconds': String(ttl) } }
    }
    if (request.method !== 'GET') return { status: 405 }
    const token = request.headers['x-aws-ec2-metadata-token']
    if (!((tokenEndsMs.get(String(token)) ?? 0) > Date.now())) return { status: 401 }
    const body = notices.get(path) ?? documents(options).get(path)
    return body === undefined ? { status: 404 } : { status: 200, body }
  }

  const server = createServer((request, response) => {
    const { status, body = '', headers = {} } = answer(request)
    response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(body)
  })
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The metadata fake has no port.')

  return {
    endpoint: `http://${host}:${address.port}`,
    requests,
    interrupt({ action = 'terminate', inSeconds = 120 } = {}) {
      const at = wholeSecond(Date.now() + inSeconds * 1000)
      notices.set('/latest/meta-data/spot/instance-action', JSON.stringify({ action, time: iso(at) }))
      if (action === 'terminate') notices.set('/latest/meta-data/spot/termination-time', iso(at))
      return at
    },
    recommendRebalance() {
      const noticeTime = iso(wholeSecond(Date.now()))
      notices.set('/latest/meta-data/events/recommendations/rebalance', JSON.stringify({ noticeTime }))
    },
    forgetTokens: () => tokenEndsMs.clear(),
    fail(requestCount) {
      failCount = requestCount
    },
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function documents(options: ImdsOptions): Map<string, string> {
  const {
    instanceId = 'i-0123456789abcdef0',
    instanceType = 'c5.large',
    zone = 'us-east-1a',
    spot = true,
    tags,
    role = 'agent',
    credentials = { accessKeyId: 'ASIATEST', secretAccessKey: 'secret' },
    userData,
  } = options
  const region = zone.slice(0, -1)
  const identity = { accountId: ACCOUNT, instanceId, instanceType, region, availabilityZone: zone }
  const files = new Map([
    ['/latest/dynamic/instance-identity/document', JSON.stringify(identity)],
    ['/latest/meta-data/instance-id', instanceId],
    ['/latest/meta-data/instance-type', instanceType],
    ['/latest/meta-data/instance-life-cycle', spot ? 'spot' : 'on-demand'],
    ['/latest/meta-data/placement/availability-zone', zone],
    ['/latest/meta-data/placement/region', region],
    ['/latest/meta-data/iam/security-credentials', role],
    [`/latest/meta-data/iam/security-credentials/${role}`, JSON.stringify(roleCredentials(credentials))],
  ])
  if (userData !== undefined) files.set('/latest/user-data', userData)
  if (tags === undefined) return files
  files.set('/latest/meta-data/tags/instance', Object.keys(tags).join('\n'))
  for (const [key, value] of Object.entries(tags)) files.set(`/latest/meta-data/tags/instance/${key}`, value)
  return files
}

function roleCredentials({ accessKeyId, secretAccessKey }: { accessKeyId: string; secretAccessKey: string }) {
  return {
    Code: 'Success',
    LastUpdated: iso(new Date()),
    Type: 'AWS-HMAC',
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    Token: 'session',
    Expiration: iso(new Date(Date.now() + ROLE_HOURS * 3_600_000)),
  }
}

function wholeSecond(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000)
}

/** As the service writes instants: whole seconds. */
function iso(at: Date): string {
  return at.toISOString().replace(/\.\d+Z$/, 'Z')
}
