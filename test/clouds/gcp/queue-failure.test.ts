// What people read when Pub/Sub cannot be reached or says no: one sentence with what, where and what to do. And nothing is lost.
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { UserError } from '../../../core/errors.ts'
import { gcpFailure } from '../../../infra/gcp/failure.ts'
import { openProvider } from '../../../infra/gcp/index.ts'
import { type Provider, type Queue, SendError } from '../../../infra/provider.ts'
import { bodiesOf, drain } from '../../conformance/fresh-queue.ts'
import { type PubSubFake, type PubSubRefusal, pubSubSettings, startPubSubFake } from '../../support/pubsub-fake.ts'
import { withGoTools } from '../../support/test-tools.ts'

const REFUSALS: readonly (readonly [string, PubSubRefusal, RegExp])[] = [
  [
    'a missing permission',
    { code: 7, message: 'User not authorized to perform this action.' },
    /Google denied it .*Give the account a role/,
  ],
  [
    'an API that is not enabled',
    {
      code: 7,
      message: 'Cloud Pub/Sub API has not been used in project 123 before or it is disabled.',
      reason: 'SERVICE_DISABLED',
    },
    /the API is not enabled .*gcloud services enable/,
  ],
  [
    'a missing project',
    { code: 5, message: 'Requested project not found or user does not have access to it (project=test-project).' },
    /there is no such project.*Check project_id/,
  ],
  [
    'credentials that were revoked',
    { code: 16, message: 'Request had invalid authentication credentials.', reason: 'ACCESS_TOKEN_EXPIRED' },
    /Google does not accept the credentials .*gcloud auth application-default login/,
  ],
]

withGoTools(['pubsub-fake'], () => {
  describe('failures of Pub/Sub', { timeout: 60_000 }, () => {
    let fake: PubSubFake
    let provider: Provider
    let count = 0
    before(async () => {
      fake = await startPubSubFake()
      provider = openProvider(pubSubSettings(fake))
    })
    beforeEach(() => fake.refuse(undefined))
    after(async () => {
      await provider.close()
      await fake.close()
    })

    const open = (): Queue => provider.openQueue(`failure-${++count}`, { leaseSeconds: 60 })

    for (const [what, refusal, expected] of REFUSALS) {
      it(`says in one sentence what to do about ${what}, and loses nothing`, async () => {
        const queue = open()
        await queue.send([{ body: 'held' }, { body: 'waiting' }])
        const [held] = await drain(queue, 1)
        assert.ok(held !== undefined)
        const other = held.body === 'held' ? 'waiting' : 'held'

        await fake.refuse(refusal)
        await assert.rejects(queue.send([{ body: 'c' }, { body: 'd' }]), (error: unknown) => {
          assert.ok(error instanceof SendError)
          assert.deepEqual(error.unsent, [0, 1])
          sentence(error, expected, queue, 'Sending 2 of 2 messages to')
          return true
        })
        const acts = [
          ['Receiving from', () => queue.receive({ maxMessages: 1, waitSeconds: 0 })],
          ['Acknowledging messages of', () => queue.ack([held.receipt])],
          ['Renewing messages of', () => queue.renew([held.receipt])],
          ['Making', () => queue.admin.ensure()],
          ['Purging', () => queue.admin.purge()],
          ['Removing', () => queue.admin.remove()],
        ] as const
        for (const [doing, act] of acts) {
          await assert.rejects(act, (error: unknown) => {
            assert.ok(error instanceof UserError)
            sentence(error, expected, queue, doing)
            return true
          })
        }

        await fake.refuse(undefined)
        assert.deepEqual(await queue.ack([held.receipt]), { lost: [] })
        await queue.send([{ body: 'c' }])
        assert.deepEqual(bodiesOf(await drain(queue, 2)), ['c', other].toSorted())
      })
    }

    it('tells on the first receive, however short, that the credentials cannot be read', async () => {
      const other = openProvider({ projectId: 'p', credentialsFile: 'no-such-key.json', env: {} })
      const queue = other.openQueue('any', { leaseSeconds: 60 })
      await assert.rejects(queue.receive({ maxMessages: 1, waitSeconds: 0 }), (error: unknown) => {
        assert.ok(error instanceof UserError)
        assert.match(error.message, /no-such-key\.json cannot be read .*Check credentials_file/)
        return true
      })
      await other.close()
    })

    it('says that nothing answers where nobody listens', async () => {
      const gone = await startPubSubFake()
      await gone.close()
      const other = openProvider(pubSubSettings(gone))
      const queue = other.openQueue('any', { leaseSeconds: 60 })
      await assert.rejects(queue.receive({ maxMessages: 1, waitSeconds: 30 }), /did not answer \(.*Check the network/)
      await other.close()
    })
  })
})

it('says that the address is wrong where its host does not resolve', () => {
  const error = Object.assign(new Error('14 UNAVAILABLE: Name resolution failed for target dns:pubsub.example:443'), {
    code: 14,
  })
  const failure = gcpFailure(error, { doing: 'counting queue "x"', projectId: 'p' })
  assert.ok(failure instanceof UserError)
  assert.match(failure.message, /^Counting queue "x" in project p failed: .*does not resolve.*Check the network/)
})

function sentence(error: Error, expected: RegExp, queue: Queue, doing: string): void {
  assert.match(error.message, expected)
  assert.ok(error.message.startsWith(`${doing} queue "${queue.name}" in project test-project failed: `), error.message)
  assert.ok(!error.message.includes('\n') && !/\bat \S+:\d+/.test(error.message), error.message)
}
