// What people read when AWS cannot be reached or says no: one sentence with what, where and what to do. And nothing is lost.
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { UserError } from '../../../core/errors.ts'
import { awsFailure } from '../../../infra/aws/failure.ts'
import { openProvider } from '../../../infra/aws/index.ts'
import type { ProviderSettings } from '../../../infra/open-provider.ts'
import { type Provider, type Queue, SendError } from '../../../infra/provider.ts'
import { bodiesOf, drain } from '../../conformance/fresh-queue.ts'
import { type Answer, type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts'
import { sqsError } from '../../support/fault-proxy-sqs.ts'
import { emulatorSettings, type SqsServer, startSqsServer } from '../../support/sqs-server.ts'

const ARN = 'arn:aws:sqs:us-east-1:000000000000:job'
const DENIED = sqsError(
  403,
  'AccessDeniedException',
  `User: arn:aws:iam::000000000000:user/me is not authorized to perform: sqs:sendmessage on resource: ${ARN}`,
)
const EXPIRED = sqsError(403, 'ExpiredTokenException', 'The security token included in the request is expired')
const UNKNOWN_KEY = sqsError(
  403,
  'UnrecognizedClientException',
  'The security token included in the request is invalid',
)

describe('failures of AWS', { timeout: 60_000 }, () => {
  let server: SqsServer
  let proxy: FaultProxy
  let provider: Provider
  let settings: ProviderSettings
  let refusal: Answer | undefined
  let count = 0
  before(async () => {
    server = await startSqsServer()
    const refuse = {
      name: 'refusal',
      share: 1,
      concerns: () => refusal !== undefined,
      strike: async (exchange: { reply(answer: Answer): void }) => refusal && exchange.reply(refusal),
    }
    proxy = await startFaultProxy({ upstream: server.url, faults: [refuse] })
    settings = emulatorSettings(proxy.url)
    provider = openProvider(settings)
  })
  beforeEach(() => {
    refusal = undefined
  })
  after(async () => {
    await provider.close()
    await proxy.close()
    await server.close()
  })

  const open = (): Queue => provider.openQueue(`failure-${++count}`, { leaseSeconds: 60 })

  const refusals: readonly (readonly [string, Answer, RegExp])[] = [
    ['a denied action', DENIED, /AWS denied sqs:sendmessage .*Allow it in a policy/],
    ['an expired token', EXPIRED, /credentials have expired\. Renew them/],
    ['an unknown access key', UNKNOWN_KEY, /does not accept the credentials .*Check the access key/],
  ]
  for (const [what, answer, expected] of refusals) {
    it(`says in one sentence what to do about ${what}, and loses nothing`, async () => {
      const queue = open()
      await queue.send([{ body: 'held' }, { body: 'waiting' }])
      const [held] = await drain(queue, 1)
      assert.ok(held !== undefined)
      const others = held.body === 'held' ? 'waiting' : 'held'

      refusal = answer
      await assert.rejects(queue.send([{ body: 'c' }, { body: 'd' }]), (error: unknown) => {
        assert.ok(error instanceof SendError)
        assert.deepEqual(error.unsent, [0, 1])
        sentence(error, expected, queue, 'Sending 2 of 2 messages to')
        return true
      })
      const acts = [
        ['Receiving from', () => queue.receive({ maxMessages: 1, waitSeconds: 0 })],
        ['Deleting messages of', () => queue.ack([held.receipt])],
        ['Renewing messages of', () => queue.renew([held.receipt])],
        ['Counting', () => queue.admin.depth()],
        ['Removing', () => queue.admin.remove()],
      ] as const
      for (const [doing, act] of acts) {
        await assert.rejects(act, (error: unknown) => {
          assert.ok(error instanceof UserError)
          sentence(error, expected, queue, doing)
          return true
        })
      }

      refusal = undefined
      assert.deepEqual(await queue.ack([held.receipt]), { lost: [] })
      assert.deepEqual(bodiesOf(await drain(queue, 1)), [others])
    })
  }

  it('uses a queue that is there although it may make none', async () => {
    const queue = open()
    await queue.send([{ body: 'x' }])
    const denied = sqsError(403, 'AccessDeniedException', 'is not authorized to perform: sqs:createqueue')
    const strict = await startFaultProxy({
      upstream: server.url,
      faults: [
        {
          name: 'denied',
          share: 1,
          concerns: ({ action }) => action === 'CreateQueue',
          strike: async exchange => exchange.reply(denied),
        },
      ],
    })
    const agent = openProvider(emulatorSettings(strict.url))
    const same = agent.openQueue(queue.name, { leaseSeconds: 60 })
    await same.admin.ensure()
    assert.equal((await drain(same, 1)).length, 1)
    const missing = agent.openQueue(open().name, { leaseSeconds: 60 })
    await assert.rejects(
      missing.admin.ensure(),
      /Making queue "failure-\d+" in us-east-1 failed: AWS denied sqs:createqueue/,
    )
    await agent.close()
    await strict.close()
  })

  it('says what to set when there are no credentials', async () => {
    const kept = { ...process.env }
    Object.assign(process.env, {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
      AWS_CONFIG_FILE: '/nowhere',
    })
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_PROFILE', 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'])
      delete process.env[name]
    try {
      const { AWS_ACCESS_KEY_ID: _, ...env } = settings.env
      const other = openProvider({ ...settings, env })
      const queue = other.openQueue('any', { leaseSeconds: 60 })
      await assert.rejects(queue.admin.ensure(), (error: unknown) => {
        assert.ok(error instanceof UserError)
        assert.match(error.message, /no AWS credentials were found .*Run "aws configure"/)
        return true
      })
      await other.close()
    } finally {
      process.env = kept
    }
  })

  const unusable: readonly (readonly [string, Partial<ProviderSettings>, RegExp])[] = [
    ['no region', { region: '' }, /AWS region is not known: set "region"/],
    ['what is no region', { region: 'Ireland!' }, /"Ireland!" is not the name of an AWS region/],
    ['half a pair of keys', { accessKey: 'id' }, /"access_key" is set but "secret_key" is not/],
    [
      'an endpoint without http',
      { env: { AWS_ENDPOINT_URL: 'host:4566' } },
      /AWS_ENDPOINT_URL is "host:4566", which is not a URL/,
    ],
  ]
  for (const [what, change, expected] of unusable) {
    it(`refuses ${what} in one sentence`, async () => {
      const env = { AWS_CONFIG_FILE: '/nowhere', ...change.env }
      const other = openProvider({ region: 'us-east-1', ...change, env })
      await assert.rejects(
        async () => other.openQueue('any', { leaseSeconds: 60 }).admin.ensure(),
        (error: unknown) => {
          assert.ok(error instanceof UserError)
          assert.match(error.message, expected)
          return true
        },
      )
    })
  }

  it('says that the region or address is wrong when its host does not resolve', () => {
    const error = Object.assign(new Error('getaddrinfo ENOTFOUND sqs.eu-wst-1.amazonaws.com'), { code: 'ENOTFOUND' })
    const failure = awsFailure(error, { doing: 'counting queue "x"', region: 'eu-wst-1' })
    assert.ok(failure instanceof UserError)
    assert.match(
      failure.message,
      /^Counting queue "x" in eu-wst-1 failed: .*eu-wst-1\.amazonaws\.com.*Check the region/,
    )
  })

  it('says that nothing answers where nobody listens', async () => {
    const gone = await startFaultProxy({ upstream: server.url })
    await gone.close()
    const other = openProvider(emulatorSettings(gone.url))
    const queue = other.openQueue('any', { leaseSeconds: 60 })
    await assert.rejects(queue.admin.depth(), /did not answer \(connect ECONNREFUSED [^)]+\)\. Check the network/)
    await other.close()
  })
})

function sentence(error: Error, expected: RegExp, queue: Queue, doing: string): void {
  assert.match(error.message, expected)
  assert.ok(error.message.startsWith(`${doing} queue "${queue.name}" in us-east-1 failed: `), error.message)
  assert.ok(!error.message.includes('\n') && !/\bat \S+:\d+/.test(error.message), error.message)
}
