// What the EC2 pool launches, lists and terminates, on moto.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CreateSubnetCommand, DescribeSubnetsCommand, RunInstancesCommand } from '@aws-sdk/client-ec2'
import { vmId } from '../../../core/ids.ts'
import { withTools } from '../../support/test-tools.ts'
import { choice, openPoolBench, type PoolBench, plan } from './pool-bench.ts'

const LIMIT_MS = 120_000

withTools(() => {
  describe('aws: pool', { timeout: LIMIT_MS }, () => {
    let bench: PoolBench
    before(async () => {
      bench = await openPoolBench()
    })
    after(() => bench.close())

    it('tags a VM with all that lists it, and with what it reads about itself', async () => {
      const { jobId, pool } = await bench.openJob()
      const other = choice(
        { instanceType: 'm5.large', zone: 'us-east-1b', memoryGib: 8, priceUsdPerHour: 1 },
        { tasksPerVm: 2 },
      )
      await pool.launch(plan({ token: 'token-x', paidUntilSeconds: 1_790_000_000, choices: [choice(), other] }))
      const tags = Object.fromEntries(((await bench.instanceOf(pool)).Tags ?? []).map(({ Key, Value }) => [Key, Value]))
      assert.deepEqual(tags, {
        Name: `rmscr-${jobId}`,
        'rms-cloud-tasks-job-id': jobId,
        rms_cloud_tasks_job_id: jobId,
        'cloud-tasks:token': 'token-x',
        'cloud-tasks:paid-until': '1790000000',
        'cloud-tasks:offer:c5.large:us-east-1a': '2 4.0 0 10 0.0416 1',
        'cloud-tasks:offer:m5.large:us-east-1b': '2 8.0 0 10 1.0 2',
      })
    })

    it('keeps within 50 tags, with keys that the metadata service can show, for the longest of launches', async () => {
      const { pool } = await bench.openJob()
      const choices = ['a', 'b', 'c', 'd'].flatMap(zone =>
        ['c5.large', 'c5d.large', 'c5.xlarge', 'm5.large', 'm5.xlarge'].map(instanceType =>
          choice({ instanceType, zone: `us-east-1${zone}` }),
        ),
      )
      const { launched } = await pool.launch(plan({ choices, paidUntilSeconds: 1_790_000_000 }))
      assert.equal(launched.length, 1)
      const tags = (await bench.instanceOf(pool)).Tags ?? []
      assert.equal(tags.length, 25)
      for (const { Key = '' } of tags) assert.match(Key, /^[A-Za-z0-9+\-=.,_:@]{1,127}$/)
    })

    it('does not take smaller VMs than the best, which would be cheaper one by one', async () => {
      const { pool } = await bench.openJob()
      await bench.moto.setCapacity({ 'c5.4xlarge us-east-1a': 1 })
      const big = choice({ instanceType: 'c5.4xlarge', vcpuCount: 16 }, { tasksPerVm: 16 })
      const { launched, failures } = await pool.launch(plan({ vmCount: 2, choices: [big, choice()] }))
      assert.deepEqual(
        launched.map(vm => vm.instanceType),
        ['c5.4xlarge'],
      )
      assert.equal(failures[0]?.reason, 'capacity')
    })

    it('asks for a type once in a zone, however many kinds of disk it is offered with', async () => {
      const { pool } = await bench.openJob()
      const choices = [choice({ bootDiskType: 'gp2' }), choice({ bootDiskType: 'gp3' })]
      const { launched, failures } = await pool.launch(plan({ choices }))
      assert.deepEqual([launched.length, failures.length], [1, 0])
    })

    it('says so when the job has no subnet in a zone, and uses the others', async () => {
      const { pool } = await bench.openJob()
      const choices = [choice({ zone: 'us-east-1x' }), choice()]
      const { launched, failures } = await pool.launch(plan({ choices }))
      assert.deepEqual(
        launched.map(vm => vm.zone),
        ['us-east-1a'],
      )
      assert.match(failures[0]?.message ?? '', /no subnet in us-east-1x/)
      const nowhere = await pool.launch(plan({ choices: [choice({ zone: 'us-east-1x' })] }))
      assert.deepEqual([nowhere.launched.length, nowhere.failures[0]?.reason], [0, 'other'])
    })

    it("uses the subnets that carry the job's tag, else those that the template names, else the default ones", async () => {
      const { Subnets: [subnet] = [] } = await bench.client.send(new DescribeSubnetsCommand({}))
      const makeSubnet = async (third: number, tags: Record<string, string>) => {
        const made = await bench.client.send(
          new CreateSubnetCommand({
            VpcId: subnet?.VpcId,
            CidrBlock: `172.31.${third}.0/24`,
            AvailabilityZone: 'us-east-1a',
            TagSpecifications: [
              { ResourceType: 'subnet', Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) },
            ],
          }),
        )
        return made.Subnet?.SubnetId ?? ''
      }
      const named = await makeSubnet(200, { purpose: 'named by the template' })
      const second = await bench.openJob({ subnets: `${named}, subnet-00000000` })
      await second.pool.launch(plan())
      assert.equal((await bench.instanceOf(second.pool)).SubnetId, named)
      const first = await bench.openJob({ subnets: named })
      const own = await makeSubnet(201, { 'cloud-tasks:job-id': first.jobId })
      await first.pool.launch(plan())
      assert.equal((await bench.instanceOf(first.pool)).SubnetId, own)
    })

    it('launches on demand when asked', async () => {
      const { pool } = await bench.openJob()
      const { launched } = await pool.launch(plan({ spot: false }))
      assert.deepEqual([launched[0]?.spot, (await pool.list())[0]?.spot], [false, false])
    })

    it('finds what a killed manager had launched, though EC2 has forgotten the request', async () => {
      const { jobId, pool } = await bench.openJob()
      const whole = plan()
      const { launched } = await pool.launch(whole)
      await bench.moto.forgetClientTokens()
      const again = await bench
        .openPool(jobId)
        .launch({ ...whole, vmCount: 5, choices: [choice({ priceUsdPerHour: 2 })] })
      assert.deepEqual(
        again.launched.map(vm => vm.id),
        launched.map(vm => vm.id),
      )
    })

    it('tells why and when a VM has ended', async () => {
      const ends = [
        ['Server.SpotInstanceTermination', 'Server.SpotInstanceTermination', 'preempted', false],
        ['Client.InstanceInitiatedShutdown', 'User initiated (2026-01-02 03:04:05 GMT)', 'powered off', true],
        ['Client.UserInitiatedShutdown', 'User initiated (2026-01-02 03:04:05 GMT)', 'terminated', true],
        ['Server.InsufficientInstanceCapacity', 'Server.InsufficientInstanceCapacity', 'no capacity', false],
        [
          'Client.InvalidSnapshot.NotFound',
          'Client.InvalidSnapshot.NotFound',
          'Client.InvalidSnapshot.NotFound: words',
          false,
        ],
      ] as const
      for (const [code, words, reason, timed] of ends) {
        const { pool } = await bench.openJob()
        const { launched } = await pool.launch(plan())
        const now = new Date(Math.floor(Date.now() / 1000) * 1000)
        const transition = words.replace(/2026.*05/, now.toISOString().slice(0, 19).replace('T', ' '))
        await bench.moto.endInstance({ id: launched[0]?.id ?? '', code, message: `${code}: words`, transition })
        const [vm] = await pool.list()
        assert.deepEqual([vm?.state, vm?.endReason, vm?.endedAt], ['terminated', reason, timed ? now : undefined])
      }
    })

    it('reads from the spot request when EC2 took a VM, if it may', async () => {
      const { pool } = await bench.openJob()
      const { launched } = await pool.launch(plan({ vmCount: 2 }))
      const [first, second] = launched.map(vm => vm.id)
      const code = 'Server.SpotInstanceTermination'
      const end = { code, message: code, transition: code }
      const requestEndedAt = new Date(Math.ceil(Date.now() / 1000) * 1000)
      await bench.moto.endInstance({ ...end, id: first ?? '', requestEndedAt })
      await bench.moto.endInstance({ ...end, id: second ?? '' }) // its request tells of a time before its launch
      await bench.moto.fail({
        holds: ['Action=DescribeSpotInstanceRequests'],
        code: 'UnauthorizedOperation',
        message: '',
      })
      assert.deepEqual(
        (await pool.list()).map(vm => vm.endedAt),
        [undefined, undefined],
      )
      const endedAt = new Map((await pool.list()).map(vm => [vm.id, vm.endedAt]))
      assert.deepEqual([endedAt.get(vmId(first ?? '')), endedAt.get(vmId(second ?? ''))], [requestEndedAt, undefined])
    })

    it('terminates a VM that EC2 does not know for a moment after its launch', async () => {
      const { jobId, pool } = await bench.openJob()
      const { launched } = await pool.launch(plan())
      const id = launched[0]?.id ?? ''
      const message = `The instance ID '${id}' does not exist`
      await bench.moto.fail({
        holds: ['Action=TerminateInstances', id],
        code: 'InvalidInstanceID.NotFound',
        message,
        times: 2,
      })
      await bench.openPool(jobId, { pauseMs: 10 }).terminate([vmId(id)])
      assert.equal((await pool.list())[0]?.state, 'terminated')
    })

    it('lists a VM of the Python system with its own facts, and none that ended over an hour ago', async () => {
      const { jobId, pool } = await bench.openJob()
      const run = () =>
        bench.client.send(
          new RunInstancesCommand({
            ImageId: 'ami-12c6146b',
            InstanceType: 'm5.large',
            MinCount: 1,
            MaxCount: 1,
            TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'rms-cloud-tasks-job-id', Value: jobId }] }],
          }),
        )
      const [first] = (await run()).Instances ?? []
      const [second] = (await run()).Instances ?? []
      await bench.moto.endInstance({
        id: second?.InstanceId ?? '',
        code: 'Client.UserInitiatedShutdown',
        message: '',
        transition: 'User initiated (2020-01-02 03:04:05 GMT)',
      })
      const vms = await pool.list()
      assert.deepEqual(
        vms.map(vm => vm.id),
        [first?.InstanceId],
      )
      assert.deepEqual([vms[0]?.instanceType, vms[0]?.spot, vms[0]?.priceUsdPerHour], ['m5.large', false, undefined])
    })

    it('lists every page, or nothing at all', async () => {
      const { jobId, pool } = await bench.openJob()
      await pool.launch(plan({ vmCount: 12 }))
      const paged = bench.openPool(jobId, { pageSize: 5 })
      assert.equal(new Set((await paged.list()).map(vm => vm.id)).size, 12)
      await bench.moto.fail({
        holds: ['Action=DescribeInstances', 'NextToken='],
        code: 'InvalidParameterValue',
        message: 'No more',
      })
      await assert.rejects(
        paged.list(),
        /^Error: Listing the VMs of job "pool-\d+" in us-east-1 failed: InvalidParameterValue: No more\.$/,
      )
    })

    it('terminates all others when many ids are unknown', async () => {
      const { jobId } = await bench.openJob()
      const pool = bench.openPool(jobId, { pauseMs: 10 })
      const { launched } = await pool.launch(plan({ vmCount: 3 }))
      const unknown = ['i-00000000000000001', 'i-00000000000000002', 'not an id'].map(vmId)
      await pool.terminate([...unknown, ...launched.map(vm => vm.id), ...unknown])
      assert.deepEqual(
        (await pool.list()).map(vm => vm.state),
        ['terminated', 'terminated', 'terminated'],
      )
      await pool.terminate(unknown)
    })
  })
})
