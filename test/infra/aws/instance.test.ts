// An EC2 VM passes the suite of all instances, and copes with what metadata services do.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { vmId } from '../../../core/ids.ts'
import { AwsInstance } from '../../../infra/aws/instance.ts'
import type { Notice } from '../../../infra/provider.ts'
import { instanceConformance } from '../../conformance/instance-suite.ts'
import { freePort } from '../../support/free-port.ts'
import { type Imds, type ImdsOptions, startImds } from '../../support/imds-fake.ts'
import { type PoweringOffVm, startPoweringOff } from '../../support/powering-off-vm.ts'
import { until } from '../../support/processes.ts'

const POWER_OFF_PROGRAM = fileURLToPath(new URL('./powers-off.ts', import.meta.url))
const POLL_SECONDS = 0.05
const LIMIT_MS = 30_000

instanceConformance('aws', async () => {
  const imds = await startImds()
  return {
    instance: instanceOn(imds),
    expected: {
      id: vmId('i-0123456789abcdef0'),
      instanceType: 'c5.large',
      region: 'us-east-1',
      zone: 'us-east-1a',
      spot: true,
    },
    noticeWithinSeconds: 5,
    giveNotice: async () => void imds.interrupt(),
    powerOffFromInside: async () => {
      const { vm } = await bootVm(imds.endpoint, { shutdown: 'kill -9 -- -$(ps -o pgid= -p $$ | tr -d " ")' })
      const [, signal] = await once(vm, 'exit')
      assert.equal(signal, 'SIGKILL')
    },
    close: () => imds.close(),
  }
})

describe('aws: instance', { timeout: LIMIT_MS }, () => {
  it('knows an on-demand VM', async context => {
    const imds = await fake(context, { spot: false, zone: 'eu-central-1b' })
    const { spot, region } = await instanceOn(imds).describe()
    assert.deepEqual([spot, region], [false, 'eu-central-1'])
  })

  it('asks for a token first, keeps it, and gets a new one when the service has forgotten it', async context => {
    const imds = await fake(context)
    const instance = instanceOn(imds)
    await instance.describe()
    await instance.describe()
    const tokens = () => imds.requests.filter(request => request.startsWith('PUT')).length
    assert.match(imds.requests[0] ?? '', /^PUT /)
    assert.equal(tokens(), 1)
    imds.forgetTokens()
    assert.equal((await instance.describe()).id, 'i-0123456789abcdef0')
    assert.equal(tokens(), 2)
  })

  it('is not misled by a few failures of the service', async context => {
    const imds = await fake(context)
    imds.fail(2)
    assert.equal((await instanceOn(imds).describe()).id, 'i-0123456789abcdef0')
  })

  it('says so when the service of a VM stays broken, instead of taking another name', async context => {
    const imds = await fake(context)
    const instance = instanceOn(imds)
    await instance.describe()
    imds.fail(100)
    await assert.rejects(instance.describe(), /answered 503/)
  })

  it('is this machine by its host name where no metadata service is, and answers soon', async () => {
    const startedMs = performance.now()
    const instance = new AwsInstance({ env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: await closedEndpoint() } })
    assert.deepEqual(await instance.describe(), { id: hostname() })
    assert.ok(performance.now() - startedMs < 5000)
    const disabled = new AwsInstance({ env: { AWS_EC2_METADATA_DISABLED: 'true' } })
    assert.deepEqual(await disabled.describe(), { id: hostname() })
  })

  it('gives up within five seconds where somebody listens and never answers', async context => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    context.after(() => silent.close())
    const address = silent.address()
    assert.ok(address !== null && typeof address === 'object')
    const instance = new AwsInstance({
      env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${address.port}` },
    })
    const startedMs = performance.now()
    assert.deepEqual(await instance.describe(), { id: hostname() })
    assert.ok(performance.now() - startedMs < 6500)
  })

  for (const action of ['terminate', 'stop', 'hibernate'] as const) {
    it(`is told of "${action}" with its time, to the second`, async context => {
      const imds = await fake(context)
      const at = imds.interrupt({ action, inSeconds: 90 })
      assert.deepEqual(await firstNotices(imds, 1), [{ kind: 'preemption', deadlineAt: at }])
    })
  }

  it('is told once that it may be taken away, and then that it is, though the service fails in between', async context => {
    const imds = await fake(context)
    imds.recommendRebalance()
    const notices = firstNotices(imds, 2)
    const looks = () => imds.requests.filter(request => request.endsWith('/rebalance')).length
    await until('three looks', () => looks() >= 3)
    imds.fail(5)
    const at = imds.interrupt()
    const [rebalance, preemption] = await notices
    assert.equal(rebalance?.kind, 'rebalance')
    assert.ok(rebalance.deadlineAt.getTime() > Date.now() + 60_000)
    assert.deepEqual(preemption, { kind: 'preemption', deadlineAt: at })
  })

  it('goes on listening when there was no metadata service at first', async context => {
    const endpoint = await closedEndpoint()
    const stop = new AbortController()
    context.after(() => stop.abort())
    const instance = new AwsInstance(
      { env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint } },
      { pollSeconds: POLL_SECONDS },
    )
    const first = instance.notices(stop.signal)[Symbol.asyncIterator]().next()
    const imds = await fake(context, { port: Number(new URL(endpoint).port) })
    imds.interrupt()
    assert.equal((await first).value?.kind, 'preemption')
  })

  it('powers off with the next means when one is missing or fails', async context => {
    const imds = await fake(context)
    const { vm, log } = await bootVm(imds.endpoint, { shutdown: 'exit 1', systemctl: 'exit 0' })
    const [code] = await once(vm, 'exit')
    assert.equal(code, 0)
    assert.deepEqual((await log()).trim().split('\n'), ['shutdown -h now', 'systemctl poweroff'])
  })

  it('says what was tried when nothing can power it off', async context => {
    const imds = await fake(context)
    const { vm, log, stderr } = await bootVm(imds.endpoint, {
      shutdown: 'exit 1',
      systemctl: 'echo no bus >&2; exit 1',
    })
    const [code] = await once(vm, 'exit')
    assert.notEqual(code, 0)
    assert.match(stderr(), /cannot power itself off.*EC2 console.*systemctl: no bus; poweroff: .*; sudo: /)
    assert.deepEqual((await log()).trim().split('\n'), ['shutdown -h now', 'systemctl poweroff'])
  })

  it('powers off nothing where it is not on EC2', async () => {
    const { vm, log } = await bootVm(await closedEndpoint(), { shutdown: 'exit 0', systemctl: 'exit 0' })
    const [code] = await once(vm, 'exit')
    assert.equal(code, 0)
    assert.equal(await log(), '')
  })
})

function instanceOn(imds: Imds): AwsInstance {
  return new AwsInstance({ env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.endpoint } }, { pollSeconds: POLL_SECONDS })
}

async function fake(context: TestContext, options?: ImdsOptions): Promise<Imds> {
  const imds = await startImds(options)
  context.after(() => imds.close())
  return imds
}

async function firstNotices(imds: Imds, count: number): Promise<readonly Notice[]> {
  const stop = new AbortController()
  const notices: Notice[] = []
  for await (const notice of instanceOn(imds).notices(stop.signal)) {
    notices.push(notice)
    if (notices.length === count) stop.abort()
  }
  return notices
}

function bootVm(endpoint: string, commands: Readonly<Record<string, string>>): Promise<PoweringOffVm> {
  return startPoweringOff({
    program: POWER_OFF_PROGRAM,
    env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint },
    commands,
  })
}

/** Where nobody listens. */
async function closedEndpoint(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`
}
