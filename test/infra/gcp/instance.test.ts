// A Compute Engine VM passes the suite of all instances, and copes with what metadata servers do.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { vmId } from '../../../core/ids.ts'
import { GcpInstance } from '../../../infra/gcp/instance.ts'
import { GcpPool } from '../../../infra/gcp/pool.ts'
import type { Notice } from '../../../infra/provider.ts'
import { instanceConformance } from '../../conformance/instance-suite.ts'
import { freePort } from '../../support/free-port.ts'
import { type GceFake, startGce } from '../../support/gce-fake.ts'
import { type GceMetadata, type GceMetadataOptions, startGceMetadata } from '../../support/gce-metadata-fake.ts'
import { type PoweringOffVm, startPoweringOff } from '../../support/powering-off-vm.ts'
import { until } from '../../support/processes.ts'
import { PROJECT, settingsOn } from './gce-pool.ts'

const POWER_OFF_PROGRAM = fileURLToPath(new URL('./powers-off.ts', import.meta.url))
const NAME = 'rmscr-job-1-0123456789abcdefghijklmno'
const ZONE = 'us-central1-a'
const TOKEN = 'ya29.of-the-vm'
const LIMIT_MS = 30_000

instanceConformance('gcp', async () => {
  const metadata = await startGceMetadata({ accessToken: TOKEN })
  const service = await computeWithVm()
  return {
    instance: instanceOn(metadata),
    expected: { id: vmId(NAME), instanceType: 'n2-standard-2', region: 'us-central1', zone: ZONE, spot: true },
    noticeWithinSeconds: 5,
    giveNotice: async () => metadata.preempt(),
    powerOffFromInside: async () => {
      const { vm, log } = await bootVm(metadata, service, { shutdown: 'exit 0' })
      assert.deepEqual(await once(vm, 'exit'), [0, null])
      await until('its end', () => service.vms.list().length === 0)
      assert.equal(await log(), '')
    },
    async close() {
      await metadata.close()
      await service.close()
    },
  }
})

describe('gcp: instance', { timeout: LIMIT_MS }, () => {
  it('knows an on-demand VM', async context => {
    const metadata = await fake(context, { spot: false, zone: 'europe-west4-b' })
    const { spot, region } = await instanceOn(metadata).describe()
    assert.deepEqual([spot, region], [false, 'europe-west4'])
  })

  it('is not misled by a few failures of the server', async context => {
    const metadata = await fake(context)
    metadata.fail(2)
    assert.equal((await instanceOn(metadata).describe()).id, NAME)
  })

  it('says so when the server of a VM stays broken, instead of taking another name', async context => {
    const metadata = await fake(context)
    const instance = instanceOn(metadata)
    await instance.describe()
    metadata.fail(100)
    await assert.rejects(instance.describe(), /answered 503/)
  })

  it('is this machine by its host name where no metadata server is, and answers soon', async () => {
    const startedMs = performance.now()
    const instance = new GcpInstance({ env: { GCE_METADATA_HOST: await closedAddress() } })
    assert.deepEqual(await instance.describe(), { id: hostname() })
    assert.ok(performance.now() - startedMs < 5000)
    const disabled = new GcpInstance({ env: { METADATA_SERVER_DETECTION: 'none' } })
    assert.deepEqual(await disabled.describe(), { id: hostname() })
  })

  it('is this machine where the metadata service of another cloud answers', async context => {
    const { createServer: createHttp } = await import('node:http')
    const server = createHttp((_, response) => void response.writeHead(404).end()).listen(0, '127.0.0.1')
    await once(server, 'listening')
    context.after(() => server.close())
    const address = server.address()
    assert.ok(address !== null && typeof address === 'object')
    const instance = new GcpInstance({ env: { GCE_METADATA_HOST: `127.0.0.1:${address.port}` } })
    assert.deepEqual(await instance.describe(), { id: hostname() })
  })

  it('gives up within seconds where somebody listens and never answers', async context => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    context.after(() => silent.close())
    const address = silent.address()
    assert.ok(address !== null && typeof address === 'object')
    const startedMs = performance.now()
    const instance = new GcpInstance({ env: { GCE_METADATA_HOST: `127.0.0.1:${address.port}` } })
    assert.deepEqual(await instance.describe(), { id: hostname() })
    assert.ok(performance.now() - startedMs < 6500)
  })

  it('is told of a preemption at once, not at the next look', async context => {
    const metadata = await fake(context)
    const stop = new AbortController()
    context.after(() => stop.abort())
    const instance = new GcpInstance({ env: { GCE_METADATA_HOST: metadata.address } }, { waitSeconds: 20 })
    const first = instance.notices(stop.signal)[Symbol.asyncIterator]().next()
    await until('it waits', () => metadata.requests.some(request => request.includes('wait_for_change=true')))
    const startedMs = performance.now()
    metadata.preempt()
    const { value } = await first
    assert.ok(performance.now() - startedMs < 2000)
    const leftMs = value.deadlineAt.getTime() - Date.now()
    assert.ok(leftMs > 25_000 && leftMs <= 30_000, `${leftMs} ms`)
  })

  it('is told that its host ends it for maintenance, and not of what it will not feel', async context => {
    const metadata = await fake(context)
    metadata.announceMaintenance('MIGRATE_ON_HOST_MAINTENANCE')
    const notices = firstNotices(metadata, 1)
    const looks = () => metadata.requests.filter(request => request.endsWith('maintenance-event')).length
    await until('two looks', () => looks() >= 2)
    metadata.announceMaintenance('TERMINATE_ON_HOST_MAINTENANCE')
    const [notice] = await notices
    assert.equal(notice?.kind, 'preemption')
    assert.ok(notice.deadlineAt.getTime() > Date.now() + 50_000)
  })

  it('goes on listening though the server fails in between', async context => {
    const metadata = await fake(context)
    const notices = firstNotices(metadata, 1)
    await until('a look', () => metadata.requests.length > 2)
    metadata.fail(8)
    const count = metadata.requests.length
    await until('failures', () => metadata.requests.length > count + 2)
    metadata.preempt()
    assert.equal((await notices)[0]?.kind, 'preemption')
  })

  it('ends itself by deletion, with the token of its own account, and whoever lists it knows that it did', async context => {
    const metadata = await fake(context, { accessToken: TOKEN })
    const service = await computeWithVm({ tokens: new Set([TOKEN, 'of the manager']) })
    context.after(() => service.close())
    const pool = new GcpPool(settingsOn(service, { GOOGLE_OAUTH_ACCESS_TOKEN: 'of the manager' }), { jobId: 'job-1' })
    assert.equal((await pool.list())[0]?.state, 'running')
    const { vm, log } = await bootVm(metadata, service, { shutdown: 'exit 0' })
    assert.deepEqual(await once(vm, 'exit'), [0, null])
    await until('its end', () => service.vms.list().length === 0)
    const [gone] = await pool.list()
    assert.deepEqual([gone?.state, gone?.endReason], ['terminated', 'powered off'])
    assert.equal(await log(), '')
  })

  it('shuts down when it may not delete itself, by the next means when one fails', async context => {
    const metadata = await fake(context) // runs as nobody: no token
    const service = await computeWithVm()
    context.after(() => service.close())
    const { vm, log } = await bootVm(metadata, service, { shutdown: 'exit 1', systemctl: 'exit 0' })
    assert.deepEqual(await once(vm, 'exit'), [0, null])
    assert.deepEqual((await log()).trim().split('\n'), ['shutdown -h now', 'systemctl poweroff'])
  })

  it('says what was tried when nothing can end it', async context => {
    const metadata = await fake(context, { accessToken: 'revoked' })
    const service = await computeWithVm({ tokens: new Set([TOKEN]) })
    context.after(() => service.close())
    const { vm, stderr, log } = await bootVm(metadata, service, {
      shutdown: 'exit 1',
      systemctl: 'echo no bus >&2; exit 1',
    })
    const [code] = await once(vm, 'exit')
    assert.notEqual(code, 0)
    assert.match(
      stderr(),
      /cannot end itself.*console: deleting it: .*invalid authentication.*systemctl: no bus; poweroff: /,
    )
    await log()
  })

  it('ends nothing where it is not on Compute Engine', async () => {
    const { vm, log } = await bootVm(
      { address: await closedAddress() },
      { endpoint: 'http://127.0.0.1:1' },
      { shutdown: 'exit 0' },
    )
    assert.deepEqual(await once(vm, 'exit'), [0, null])
    assert.equal(await log(), '')
  })
})

function instanceOn({ address }: Pick<GceMetadata, 'address'>): GcpInstance {
  return new GcpInstance({ env: { GCE_METADATA_HOST: address } }, { waitSeconds: 1 })
}

async function fake(context: TestContext, options?: GceMetadataOptions): Promise<GceMetadata> {
  const metadata = await startGceMetadata(options)
  context.after(() => metadata.close())
  return metadata
}

/** With the VM that the metadata speak of. */
async function computeWithVm(options: Parameters<typeof startGce>[0] = {}): Promise<GceFake> {
  const service = await startGce({ projectId: PROJECT, ...options })
  service.vms.add(ZONE, { name: NAME, machineType: 'n2-standard-2', scheduling: { provisioningModel: 'SPOT' } })
  return service
}

async function firstNotices(metadata: GceMetadata, count: number): Promise<readonly Notice[]> {
  const stop = new AbortController()
  const notices: Notice[] = []
  for await (const notice of instanceOn(metadata).notices(stop.signal)) {
    notices.push(notice)
    if (notices.length === count) stop.abort()
  }
  return notices
}

function bootVm(
  { address }: Pick<GceMetadata, 'address'>,
  { endpoint }: Pick<GceFake, 'endpoint'>,
  commands: Readonly<Record<string, string>>,
): Promise<PoweringOffVm> {
  const env = { GCE_METADATA_HOST: address, CLOUD_TASKS_GCP_COMPUTE_URL: endpoint }
  return startPoweringOff({ program: POWER_OFF_PROGRAM, env, commands })
}

/** Where nobody listens. */
async function closedAddress(): Promise<string> {
  return `127.0.0.1:${await freePort()}`
}
