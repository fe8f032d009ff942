// What the EC2 pool makes of everything that EC2 refuses, on moto.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { AwsPool } from '../../../infra/aws/pool.ts'
import { withTools } from '../../support/test-tools.ts'
import { motoSettings } from './moto-stack.ts'
import { choice, openPoolBench, type PoolBench, plan } from './pool-bench.ts'

const LIMIT_MS = 120_000

withTools(() => {
  describe('aws: pool, refused', { timeout: LIMIT_MS }, () => {
    let bench: PoolBench
    before(async () => {
      bench = await openPoolBench()
    })
    after(() => bench.close())

    it('goes on with the next place when one has no capacity, and says which had none', async () => {
      const { pool } = await bench.openJob()
      await bench.moto.setCapacity({ 'm5.large us-east-1a': 1, 'm5.large us-east-1b': 5 })
      const choices = ['a', 'b'].map(zone => choice({ instanceType: 'm5.large', zone: `us-east-1${zone}` }))
      const { launched, failures } = await pool.launch(plan({ vmCount: 3, choices }))
      assert.deepEqual(launched.map(vm => vm.zone).toSorted(), ['us-east-1a', 'us-east-1b', 'us-east-1b'])
      assert.deepEqual(failures, [
        {
          reason: 'capacity',
          instanceType: 'm5.large',
          zone: 'us-east-1a',
          message: 'InsufficientInstanceCapacity: There is no capacity for m5.large us-east-1a.',
        },
      ])
      assert.deepEqual(new Set((await pool.list()).map(vm => vm.id)), new Set(launched.map(vm => vm.id)))
    })

    const refusals = [
      ['InsufficientInstanceCapacity', 'capacity'],
      ['SpotMaxPriceTooLow', 'capacity'],
      ['Unsupported', 'capacity'],
      ['UnfulfillableCapacity', 'capacity'],
      ['MaxSpotInstanceCountExceeded', 'quota'],
      ['VcpuLimitExceeded', 'quota'],
      ['UnauthorizedOperation', 'denied'],
      ['AuthFailure.ServiceLinkedRoleCreationNotPermitted', 'denied'],
      ['InvalidParameterValue', 'other'],
    ] as const
    for (const [code, reason] of refusals) {
      it(`reports ${code} of every place as a failure for "${reason}", and no VM`, async () => {
        const { pool } = await bench.openJob()
        await bench.moto.setCapacity({ 'r5.large us-east-1a': code })
        const { launched, failures } = await pool.launch(
          plan({ vmCount: 2, choices: [choice({ instanceType: 'r5.large' })] }),
        )
        assert.deepEqual(launched, [])
        assert.deepEqual(
          failures.map(failure => [failure.reason, failure.instanceType, failure.zone]),
          [[reason, 'r5.large', 'us-east-1a']],
        )
        assert.match(failures[0]?.message ?? '', new RegExp(code))
        assert.deepEqual(await pool.list(), [])
      })
    }

    it('asks to deploy first when there is no launch template', async () => {
      const pool = bench.openPool('not-deployed')
      await assert.rejects(pool.launch(plan()), {
        name: 'UserError',
        message: /^Job "not-deployed" has no stack in us-east-1: .*rmscr-not-deployed.*cloud-tasks deploy/,
      })
    })

    it('says in one sentence which service does not answer', async () => {
      const pool = new AwsPool({ ...motoSettings({ endpoint: 'http://localhost:9' }) }, { jobId: 'nobody' })
      await assert.rejects(pool.list(), {
        message: /^Listing the VMs of job "nobody" in us-east-1 failed: .*did not answer/,
      })
      pool.close()
    })

    const refusedRequests = [
      ['DescribeInstances', 'UnauthorizedOperation', /AWS denied/],
      ['DescribeSubnets', 'UnauthorizedOperation', /AWS denied/],
      ['CreateFleet', 'UnauthorizedOperation', /AWS denied/],
      ['CreateFleet', 'RequestExpired', /clock/],
      ['CreateFleet', 'ExpiredToken', /credentials have expired/],
      ['DescribeLaunchTemplateVersions', 'AuthFailure', /does not accept the credentials/],
    ] as const
    for (const [action, code, words] of refusedRequests) {
      it(`says in one sentence that ${action} was answered with ${code}`, async () => {
        const { jobId, pool } = await bench.openJob()
        await bench.moto.fail({ holds: [`Action=${action}`], code, message: 'Not now' })
        await assert.rejects(pool.launch(plan()), (error: Error) => {
          assert.match(error.message, new RegExp(`^Starting VMs of job "${jobId}" in us-east-1 failed: `))
          assert.match(error.message, words)
          assert.doesNotMatch(error.message, /\n/)
          return true
        })
        assert.deepEqual(await pool.list(), [])
      })
    }

    it('takes a quota that refuses the whole request for a shortage of every place', async () => {
      const { pool } = await bench.openJob()
      await bench.moto.fail({ holds: ['Action=CreateFleet'], code: 'VcpuLimitExceeded', message: 'Too many' })
      const { launched, failures } = await pool.launch(plan({ choices: [choice(), choice({ zone: 'us-east-1b' })] }))
      assert.deepEqual(launched, [])
      assert.deepEqual(
        failures.map(failure => [failure.reason, failure.zone]),
        [
          ['quota', 'us-east-1a'],
          ['quota', 'us-east-1b'],
        ],
      )
    })

    it('launches once when the answer is lost and the request is made again', async () => {
      const { pool } = await bench.openJob()
      await bench.moto.fail({
        holds: ['Action=CreateFleet'],
        code: 'InternalError',
        message: 'Lost',
        carriedOut: true,
        times: 2,
      })
      const { launched } = await pool.launch(plan({ vmCount: 2 }))
      assert.equal(launched.length, 2)
      assert.equal((await pool.list()).length, 2)
    })

    it('starts nothing when the same launch was asked for otherwise and made no VM', async () => {
      const { pool } = await bench.openJob()
      await bench.moto.setCapacity({ 'r5.xlarge us-east-1a': 0 })
      const whole = plan({ choices: [choice({ instanceType: 'r5.xlarge' })] })
      assert.equal((await pool.launch(whole)).failures[0]?.reason, 'capacity')
      const { launched, failures } = await pool.launch({ ...whole, vmCount: 2 })
      assert.deepEqual([launched, failures[0]?.reason], [[], 'other'])
      assert.deepEqual(await pool.list(), [])
    })
  })
})
