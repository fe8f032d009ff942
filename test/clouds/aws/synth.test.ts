// What the stack of a job promises, read off its template: names, encryption, a closed network, and that nothing stays.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { rendered, stored, templateOf, withCdk } from './template.ts'

withCdk(() => {
  describe('the template of a job on AWS', () => {
    it('names what agents and managers look for', async () => {
      const template = await templateOf({ aws: { queue_name: 'my-queue' } })
      const names = (type: string, key: string) => template.ofType(type).map(({ Properties }) => Properties[key])
      assert.deepEqual(names('AWS::SQS::Queue', 'QueueName').toSorted(), [
        'my-queue',
        'my-queue-dead',
        'my-queue-events',
      ])
      assert.deepEqual(names('AWS::EC2::LaunchTemplate', 'LaunchTemplateName'), ['rmscr-my-job'])
      assert.deepEqual(names('AWS::DynamoDB::Table', 'TableName'), ['cloud-tasks-my-job'])
      assert.deepEqual(template.one('AWS::DynamoDB::Table').Properties.KeySchema, [
        { AttributeName: 'job_id', KeyType: 'HASH' },
      ])
      for (const { Properties } of template.ofType('AWS::EC2::Subnet')) {
        assert.deepEqual(Properties.Tags, [{ Key: 'cloud-tasks:job-id', Value: 'my-job' }])
      }
    })

    it('encrypts queues, keeps messages two weeks, and answers only over TLS', async () => {
      const template = await templateOf({ run: { lease_seconds: 90 } })
      for (const { Properties } of template.ofType('AWS::SQS::Queue')) {
        assert.equal(Properties.SqsManagedSseEnabled, true)
        assert.equal(Properties.MessageRetentionPeriod, 14 * 24 * 3600)
        assert.equal(Properties.VisibilityTimeout, 90)
      }
      const policies = template.ofType('AWS::SQS::QueuePolicy')
      assert.equal(policies.length, 3)
      for (const { Properties } of policies) {
        const { Statement } = Properties.PolicyDocument as { Statement: unknown[] }
        assert.deepEqual(
          Statement.map(statement => ({ ...(statement as object), Resource: '' })),
          [
            {
              Action: 'sqs:*',
              Condition: { Bool: { 'aws:SecureTransport': 'false' } },
              Effect: 'Deny',
              Principal: { AWS: '*' },
              Resource: '',
            },
          ],
        )
      }
    })

    it('sends tasks to the dead letters only when SQS itself has given up', async () => {
      const template = await templateOf()
      const redriven = template.ofType('AWS::SQS::Queue').filter(({ Properties }) => Properties.RedrivePolicy)
      assert.deepEqual(
        redriven.map(({ Properties }) => [Properties.QueueName, (Properties.RedrivePolicy as Redrive).maxReceiveCount]),
        [['my-job', 1000]],
      )
    })

    it('lets nothing into the network, which has a subnet in each of three zones and no NAT gateway', async () => {
      const template = await templateOf()
      const { Properties } = template.one('AWS::EC2::SecurityGroup')
      assert.equal(Properties.SecurityGroupIngress, undefined)
      assert.deepEqual(template.ofType('AWS::EC2::SecurityGroupIngress'), [])
      assert.deepEqual(template.ofType('AWS::EC2::NatGateway'), [])
      const subnets = template.ofType('AWS::EC2::Subnet').map(subnet => subnet.Properties)
      assert.deepEqual(
        subnets.map(({ CidrBlock }) => CidrBlock),
        ['10.173.0.0/19', '10.173.32.0/19', '10.173.64.0/19'],
      )
      assert.equal(new Set(subnets.map(({ AvailabilityZone }) => JSON.stringify(AvailabilityZone))).size, 3)
      const [inZone, ...others] = (await templateOf({ aws: { zone: 'us-east-1b' } })).ofType('AWS::EC2::Subnet')
      assert.deepEqual(others, [])
      assert.equal(inZone?.Properties.AvailabilityZone, 'us-east-1b')
      // A network that is deployed already could not have two subnets of the same addresses at once.
      assert.ok(!subnets.some(({ CidrBlock }) => CidrBlock === inZone?.Properties.CidrBlock))
    })

    it('uses the subnets and groups that the job names, and tells the launch template of them', async () => {
      const template = await templateOf({ aws: { subnets: ['subnet-a', 'subnet-b'], security_groups: ['sg-1'] } })
      assert.deepEqual(template.ofType('AWS::EC2::VPC'), [])
      const { LaunchTemplateData, TagSpecifications } = template.one('AWS::EC2::LaunchTemplate').Properties
      assert.deepEqual((LaunchTemplateData as LaunchData).SecurityGroupIds, ['sg-1'])
      const [{ Tags }] = TagSpecifications as [{ Tags: { Key: string; Value: string }[] }]
      assert.equal(Tags.find(({ Key }) => Key === 'cloud-tasks:subnets')?.Value, 'subnet-a,subnet-b')
      const inVpc = await templateOf({ aws: { subnets: ['subnet-a'] }, vpcId: 'vpc-1' })
      assert.equal(inVpc.one('AWS::EC2::SecurityGroup').Properties.VpcId, 'vpc-1')
      await assert.rejects(templateOf({ aws: { subnets: ['subnet-a'] } }), /name the security groups of the VMs too/)
      await assert.rejects(templateOf({ aws: { security_groups: ['sg-1'] } }), /security_groups needs subnets/)
    })

    it('starts VMs that ask for tokens, encrypt their disk, and are gone when they power off', async () => {
      const template = await templateOf({ run: { total_boot_disk_size: 25, boot_disk_iops: 4000 } })
      const data = template.one('AWS::EC2::LaunchTemplate').Properties.LaunchTemplateData as LaunchData
      assert.deepEqual(data.MetadataOptions, {
        HttpEndpoint: 'enabled',
        HttpPutResponseHopLimit: 2,
        HttpTokens: 'required',
        InstanceMetadataTags: 'enabled',
      })
      assert.equal(data.InstanceInitiatedShutdownBehavior, 'terminate')
      assert.deepEqual(data.BlockDeviceMappings, [
        {
          DeviceName: '/dev/sda1',
          Ebs: { DeleteOnTermination: true, Encrypted: true, Iops: 4000, VolumeSize: 25, VolumeType: 'gp3' },
        },
      ])
      const io2 = await templateOf({ run: { boot_disk_types: ['io2'] } })
      const ioData = io2.one('AWS::EC2::LaunchTemplate').Properties.LaunchTemplateData as LaunchData
      assert.equal(ioData.BlockDeviceMappings[0]?.Ebs.Iops, 3000)
      await assert.rejects(templateOf({ run: { boot_disk_types: ['pd-ssd'] } }), /"pd-ssd" is no boot disk of AWS/)
    })

    it('boots Ubuntu 24.04 of the right architecture, or the image that the job names', async () => {
      const imageOf = async (run: object, image?: string) => {
        const template = await templateOf({ run, image })
        const { ImageId, BlockDeviceMappings } = template.one('AWS::EC2::LaunchTemplate').Properties
          .LaunchTemplateData as LaunchData
        const { Parameters = {} }: { Parameters?: Record<string, { Default: string }> } = JSON.parse(template.text)
        const name = rendered(ImageId).replace(/[<>]/g, '')
        return [Parameters[name]?.Default ?? name, BlockDeviceMappings[0]?.DeviceName]
      }
      const ubuntu = '/aws/service/canonical/ubuntu/server/24.04/stable/current'
      assert.deepEqual(await imageOf({}), [`${ubuntu}/amd64/hvm/ebs-gp3/ami-id`, '/dev/sda1'])
      assert.deepEqual(await imageOf({ architecture: 'arm64' }), [`${ubuntu}/arm64/hvm/ebs-gp3/ami-id`, '/dev/sda1'])
      assert.deepEqual(await imageOf({ image: 'ami-0abc' }), ['ami-0abc', '/dev/sda1'])
      const amazon = '/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64'
      assert.deepEqual(await imageOf({ image: amazon }), [amazon, '/dev/xvda'])
      assert.deepEqual(await imageOf({ image: 'my-image' }, 'ami-0def'), ['ami-0def', '/dev/sda1'])
      await assert.rejects(templateOf({ run: { image: 'my-image' } }), /image "my-image" is neither an id/)
    })

    it('carries no secret, neither of the job file nor of the VMs', async () => {
      const { text } = await templateOf({
        run: { secrets: { PASSWORD: '/db/password' } },
        aws: { access_key: 'AKIAOFTHEJOB', secret_key: 'the+secret/key' },
      })
      assert.doesNotMatch(text, /AKIAOFTHEJOB|the\+secret/)
    })

    it('refuses user data that is too long, and packs it before', async () => {
      const script = `#!/bin/bash\n${'echo "a line that repeats itself"\n'.repeat(1000)}echo "$RMS_CLOUD_TASKS_JOB_ID"`
      const template = await templateOf({ run: { startup_script: script } })
      const packed = userDataOf(template)
      assert.ok(Buffer.byteLength(packed) < 16_384)
      assert.match(packed, /^#!\/bin\/bash\n# Packed/)
      const unpacked = spawnSync('bash', ['-c', packed.replace('bash "$script"', 'cat "$script"')], {
        encoding: 'utf8',
      })
      assert.ok(unpacked.stdout.includes(script.split('\n').slice(1).join('\n')))
      assert.match(unpacked.stdout, /^export RMS_CLOUD_TASKS_JOB_ID=my-job$/m)
      const random = Array.from({ length: 40_000 }, (_, i) => (Math.sin(i) * 1e6).toFixed(0)).join('\n')
      await assert.rejects(templateOf({ run: { startup_script: random } }), /EC2 takes 16384: put what is long/)
    })

    it('runs the manager every minute, and ends VMs after it and before their network', async () => {
      const template = await templateOf({ run: { max_total_cost: 10 } })
      const [cleanup, manager] = ['Cleanup', 'Manager'].map(name =>
        template.ofType('AWS::Lambda::Function').find(f => template.idOf(f).startsWith(`Pool${name}`)),
      )
      assert.equal(manager?.Properties.Runtime, 'nodejs24.x')
      assert.equal(manager?.Properties.Timeout, 55)
      assert.ok(Number(cleanup?.Properties.Timeout) <= 900)
      assert.equal(template.one('AWS::Events::Rule').Properties.ScheduleExpression, 'rate(1 minute)')
      const lastVms = template.idOf(template.one('AWS::CloudFormation::CustomResource'))
      const goesBefore = [manager, template.one('AWS::Events::Rule')].map(resource => resource?.DependsOn ?? [])
      assert.ok(goesBefore.every(dependencies => dependencies.includes(lastVms)))
      const after = template.resources[lastVms]?.DependsOn ?? []
      for (const type of ['Subnet', 'SecurityGroup', 'LaunchTemplate', 'VPCGatewayAttachment', 'Route']) {
        for (const resource of template.ofType(`AWS::EC2::${type}`)) assert.ok(after.includes(template.idOf(resource)))
      }
      assert.ok(after.includes(template.idOf(template.one('AWS::DynamoDB::Table'))), 'it says whether VMs are to end')
      for (const { Properties } of template.ofType('AWS::Logs::LogGroup')) assert.equal(Properties.RetentionInDays, 7)
    })

    it('keeps nothing when it is destroyed', async () => {
      const template = await templateOf()
      const kept = Object.values(template.resources).filter(
        ({ Type, DeletionPolicy }) =>
          DeletionPolicy === 'Retain' || (/DynamoDB::Table|Logs::LogGroup/.test(Type) && DeletionPolicy !== 'Delete'),
      )
      assert.deepEqual(kept, [])
    })

    it('raises alarms for old tasks, dead letters, money, and a manager that fails or has stopped', async () => {
      const alarms = async (options: Parameters<typeof templateOf>[0]) =>
        (await templateOf(options))
          .ofType('AWS::CloudWatch::Alarm')
          .map(({ Properties: p }) => [p.AlarmName, p.Threshold])
      assert.deepEqual(await alarms({ run: { max_total_cost: 10 } }), [
        ['cloud-tasks-my-job-OldestTask', 86_400],
        ['cloud-tasks-my-job-DeadLetter', 1],
        ['cloud-tasks-my-job-Manager', 5],
        ['cloud-tasks-my-job-Stopped', 1],
        ['cloud-tasks-my-job-Spending', 9],
      ])
      assert.deepEqual(await alarms({ manager: 'here', programs: {} }), [
        ['cloud-tasks-my-job-OldestTask', 86_400],
        ['cloud-tasks-my-job-DeadLetter', 1],
      ])
    })

    it('is short enough for CloudFormation, and the same each time', async () => {
      const options = { run: { max_total_cost: 10, task: './task.ts' } }
      const programs = { manager: stored('manager.zip'), agent: stored('agent.tar.gz') }
      const [first, second] = [await templateOf({ ...options, programs }), await templateOf({ ...options, programs })]
      assert.equal(first.text, second.text)
      assert.ok(Buffer.byteLength(first.text) < 51_200, `${Buffer.byteLength(first.text)} bytes`)
      assert.ok(Buffer.byteLength(userDataOf(first)) <= 16_384)
    })
  })
})

interface Redrive {
  readonly maxReceiveCount: number
}

interface LaunchData {
  readonly ImageId: unknown
  readonly UserData: unknown
  readonly SecurityGroupIds: unknown
  readonly MetadataOptions: unknown
  readonly InstanceInitiatedShutdownBehavior: unknown
  readonly BlockDeviceMappings: readonly { DeviceName: string; Ebs: { Iops?: number } }[]
}

type Template = Awaited<ReturnType<typeof templateOf>>

function userDataOf(template: Template): string {
  return rendered((template.one('AWS::EC2::LaunchTemplate').Properties.LaunchTemplateData as LaunchData).UserData)
}
