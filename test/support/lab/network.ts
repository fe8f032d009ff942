// A network of its own for each machine of a lab: a namespace with the metadata address of the clouds, joined to this host by
// a bridge over which it reaches the emulators, at the same localhost address as everybody here. Needs root and iproute2;
// without them machines are mere process groups that find their metadata by environment.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface LabNetwork {
  /** False: machines share this host's network. */
  readonly isolated: boolean
  /** Ports of this host's loopback that machines reach at theirs. */
  readonly forwardedPorts: readonly number[]
  /** Undefined without isolation. */
  addNamespace(): Namespace | undefined
  close(): Promise<void>
}

export interface Namespace {
  readonly name: string
  /** Where a forwarded port of the host is found from inside. */
  readonly hostAddress: string
  pids(): readonly number[]
  remove(): void
}

export const METADATA_ADDRESS = '169.254.169.254'
const MAX_NETWORKS = 250
const PREFIX_BITS = 24

export async function openLabNetwork(forwardedPorts: readonly number[]): Promise<LabNetwork> {
  const number = claimBridge()
  if (number === undefined) {
    return { isolated: false, forwardedPorts, addNamespace: () => undefined, close: async () => {} }
  }
  const bridge = bridgeName(number)
  const hostAddress = `10.200.${number}.1`
  const forwarders: Server[] = []
  for (const port of forwardedPorts)
    forwarders.push(await forward({ host: hostAddress, port }, { host: '127.0.0.1', port }))
  const namespaces = new Set<Namespace>()
  let count = 0
  return {
    isolated: true,
    forwardedPorts,
    addNamespace() {
      const namespace = makeNamespace({ number, index: ++count, hostAddress, gone: made => namespaces.delete(made) })
      namespaces.add(namespace)
      return namespace
    },
    async close() {
      for (const namespace of namespaces) namespace.remove()
      for (const forwarder of forwarders) await stop(forwarder)
      ip('link', 'del', bridge)
    },
  }
}

/** Listens until it is stopped with `stop`. */
export async function forward(
  from: { host: string; port: number },
  to: { host: string; port: number },
): Promise<Server> {
  const sockets = new Set<Socket>()
  const server = createServer(incoming => {
    const outgoing = connect(to)
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {}) // the other end closes, too
      socket.on('close', () => {
        sockets.delete(socket)
        incoming.destroy()
        outgoing.destroy()
      })
    }
    incoming.pipe(outgoing).pipe(incoming)
  })
  server.listen(from.port, from.host)
  await once(server, 'listening')
  openSockets.set(server, sockets)
  return server
}

const openSockets = new WeakMap<Server, ReadonlySet<Socket>>()

async function stop(server: Server): Promise<void> {
  for (const socket of openSockets.get(server) ?? []) socket.destroy()
  await new Promise(resolve => server.close(resolve))
}

interface NamespacePlace {
  readonly number: number
  readonly index: number
  readonly hostAddress: string
  readonly gone: (namespace: Namespace) => void
}

function makeNamespace({ number, index, hostAddress, gone }: NamespacePlace): Namespace {
  const name = `ctlab${number}-${index}`
  const [outside, inside] = [`ctl${number}o${index}`, `ctl${number}i${index}`]
  const within = (...args: string[]) => ip('-n', name, ...args)
  ip('netns', 'add', name)
  ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', name)
  ip('link', 'set', outside, 'master', bridgeName(number), 'up')
  within('link', 'set', 'lo', 'up')
  within('addr', 'add', `${METADATA_ADDRESS}/32`, 'dev', 'lo')
  within('addr', 'add', `10.200.${number}.${index + 1}/${PREFIX_BITS}`, 'dev', inside)
  within('link', 'set', inside, 'up')
  let there = true
  const namespace: Namespace = {
    name,
    hostAddress,
    pids: () => (there ? ip('netns', 'pids', name).split(/\s+/).filter(Boolean).map(Number) : []),
    remove() {
      if (!there) return
      there = false
      gone(namespace)
      ip('netns', 'del', name)
    },
  }
  return namespace
}

/** The first number that nobody on this host uses. undefined where namespaces are not allowed. */
function claimBridge(): number | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
  const start = process.pid % MAX_NETWORKS
  for (let step = 0; step < MAX_NETWORKS; step++) {
    const number = ((start + step) % MAX_NETWORKS) + 1
    try {
      ip('link', 'add', bridgeName(number), 'type', 'bridge') // atomic: fails if it is there
    } catch (error) {
      if (String(error).includes('File exists')) continue
      return undefined
    }
    ip('addr', 'add', `10.200.${number}.1/${PREFIX_BITS}`, 'dev', bridgeName(number))
    ip('link', 'set', bridgeName(number), 'up')
    return number
  }
  return undefined
}

function bridgeName(number: number): string {
  return `ctlab${number}`
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
