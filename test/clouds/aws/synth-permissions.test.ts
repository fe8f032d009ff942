// Who may do what in the stack of a job, read off its template: the least with which agents and managers work.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { listed, rendered, stored, templateOf, withCdk } from './template.ts'

withCdk(() => {
  describe('permissions in the stack of a job', () => {
    it('gives VMs exactly what an agent does, with this job alone', async () => {
      const template = await templateOf({
        run: { secrets: { A: '/db/password', B: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:token' } },
        aws: { bucket: 'my-bucket' },
        programs: { manager: stored('manager.zip'), agent: stored('agent.tar.gz') },
      })
      const granted = template
        .statements()
        .filter(({ owner }) => owner.startsWith('PoolVmRole'))
        .map(({ statement }) => [listed(statement.Action), listed(statement.Resource).map(rendered)])
      const [tasks, events, dead] = ['TaskQueue', 'EventQueue', 'DeadLetterQueue'].map(name =>
        arnOfQueue(template, name),
      )
      assert.deepEqual(granted, [
        [['sqs:ChangeMessageVisibility', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'], [tasks]],
        [
          ['sqs:GetQueueUrl', 'sqs:SendMessage'],
          [dead, events, tasks],
        ],
        [['s3:DeleteObject', 's3:GetObject', 's3:PutObject'], ['arn:aws:s3:::my-bucket/cloud-tasks/my-job/*']],
        [['s3:GetObject'], ['arn:aws:s3:::my-bucket/cloud-tasks/programs/my-job/agent.tar.gz']],
        [['ssm:GetParameter'], ['arn:aws:ssm:us-east-1:<AWS.AccountId>:parameter/db/password']],
        [['secretsmanager:GetSecretValue'], ['arn:aws:secretsmanager:us-east-1:123456789012:secret:token-??????']],
      ])
    })

    it('says "any resource" only of reading what AWS does not let anybody name', async () => {
      const template = await templateOf()
      const anything = template
        .statements()
        .filter(({ statement }) => listed(statement.Resource).includes('*'))
        .flatMap(({ statement }) => listed(statement.Action))
      const unnameable = /^(ec2:(Describe[A-Za-z]+|GetSpotPlacementScores)|pricing:GetProducts)$/
      assert.ok(anything.length > 0)
      assert.deepEqual(
        anything.filter(action => !unnameable.test(action)),
        [],
      )
      const actions = template.statements().flatMap(({ statement }) => listed(statement.Action))
      assert.deepEqual(
        actions.filter(action => action.includes('*')),
        [],
      )
      assert.deepEqual(
        template.ofType('AWS::IAM::Role').flatMap(({ Properties }) => Properties.ManagedPolicyArns ?? []),
        [],
      )
    })

    it('lets the manager start only tagged VMs of this template, and end only those', async () => {
      const template = await templateOf()
      const id = (type: string) => template.idOf(template.one(type))
      const of = (action: string) =>
        template
          .statements()
          .filter(
            ({ owner, statement }) => owner.startsWith('PoolManager') && listed(statement.Action).includes(action),
          )
          .flatMap(({ statement }) =>
            listed(statement.Resource).map(resource => [
              rendered(resource).replace(/^arn:aws:[a-z0-9]+:[^:]*:[^:]*:/, ''),
              statement.Condition,
            ]),
          )
      const jobOnly = (key: string) => ({ StringEquals: { [`aws:${key}/rms-cloud-tasks-job-id`]: 'my-job' } })
      const launch = of('ec2:RunInstances')
      assert.deepEqual(
        launch.filter(([resource]) => String(resource).startsWith('instance/')),
        [['instance/*', jobOnly('RequestTag')]],
      )
      const templates = launch
        .map(([resource]) => resource)
        .filter(resource => /^launch-template/.test(String(resource)))
      assert.deepEqual(templates, [`launch-template/<${id('AWS::EC2::LaunchTemplate')}>`])
      const named = launch
        .map(([resource]) => String(resource))
        .filter(resource => /^(subnet|security-group)/.test(resource))
      assert.equal(named.length, 4)
      assert.ok(named.every(resource => /<[^>]+>$/.test(resource)))
      assert.deepEqual(of('ec2:TerminateInstances'), [['instance/*', jobOnly('ResourceTag')]])
      const passed = of('iam:PassRole')
      assert.deepEqual(passed, [[passed[0]?.[0], { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } }]])
      assert.match(String(passed[0]?.[0]), /^<PoolVmRole[0-9A-F]{8}\.Arn>$/)
    })

    it('lets the manager make every request to EC2 that its code makes', async () => {
      const allowed = (await templateOf())
        .statements()
        .filter(({ owner }) => owner.startsWith('PoolManager'))
        .flatMap(({ statement }) => listed(statement.Action))
      const made = globSync('{pool,fleet,catalog,prices}*.ts', { cwd: AWS_FOLDER })
        .map(file => readFileSync(join(AWS_FOLDER, file), 'utf8'))
        .flatMap(text => [...text.matchAll(/import \{([^}]*)\} from '@aws-sdk\/client-(ec2|pricing)'/g)])
        .flatMap(([, names = '', client]) =>
          [...names.matchAll(/\b(?:paginate(\w+)|([A-Z]\w+)Command)\b/g)].map(
            ([, paged, single]) => `${client}:${paged ?? single}`,
          ),
        )
      assert.ok(made.includes('ec2:CreateFleet') && made.includes('pricing:GetProducts'))
      assert.deepEqual(
        made.filter(action => !allowed.includes(action) && !FOR_PEOPLE.has(action)),
        [],
      )
    })
  })
})

const AWS_FOLDER = join(import.meta.dirname, '../../../infra/aws')
const FOR_PEOPLE = new Set(['ec2:DescribeRegions']) // asked by list_regions only

function arnOfQueue(template: Awaited<ReturnType<typeof templateOf>>, name: string): string {
  const id = Object.keys(template.resources).find(key => new RegExp(`^Pool${name}[0-9A-F]{8}$`).test(key))
  return `<${id}.Arn>`
}
