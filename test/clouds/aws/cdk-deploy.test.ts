// `cdk deploy` and `cdk destroy` of the real app with the real CDK against an emulator that runs the stack's functions, and
// the construct in an app of somebody's own.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { DescribeLaunchTemplateVersionsCommand, EC2Client } from '@aws-sdk/client-ec2'
import { awsClientConfig } from '../../../infra/aws/connection.ts'
import { openProvider } from '../../../infra/aws/index.ts'
import { AwsObjects } from '../../../infra/aws/objects.ts'
import type { Ministack } from '../../support/ministack.ts'
import { withTools } from '../../support/test-tools.ts'
import {
  ACCOUNT,
  emulatorSettings,
  IMAGE,
  REGION,
  run,
  startStackEmulator,
  startVm,
  vmStates,
} from './stack-emulators.ts'
import { withCdk } from './template.ts'

const ROOT = join(import.meta.dirname, '../../..')
const APP = join(ROOT, 'infra/aws')
const LIMIT_MS = 300_000
const JOB = `provider: aws
run:
  task: ./task.ts
  bundle: .
  image: ${IMAGE}
aws:
  job_id: my-job
  region: ${REGION}
`

withTools(() =>
  withCdk(() => {
    describe('cdk deploy', { timeout: LIMIT_MS }, () => {
      let ministack: Ministack
      let folder: string
      let ec2: EC2Client

      before(async () => {
        ministack = await startStackEmulator()
        folder = await mkdtemp(join(tmpdir(), 'cloud-tasks-cdk-'))
        ec2 = new EC2Client(awsClientConfig(emulatorSettings(ministack.endpoint), 'EC2'))
        await writeFile(join(folder, 'job.yml'), JOB)
        await writeFile(join(folder, 'task.ts'), 'export default () => 1\n')
      })
      after(async () => {
        ec2.destroy()
        await ministack.close()
        await rm(folder, { recursive: true, force: true })
      })

      const cdk = (...args: string[]) =>
        run(
          process.execPath,
          [join(APP, 'node_modules/aws-cdk/bin/cdk'), ...args, '--output', join(folder, 'cdk.out')],
          {
            cwd: APP,
            env: {
              ...emulatorSettings(ministack.endpoint).env,
              PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
              AWS_REGION: REGION,
              HOME: folder, // the CDK remembers accounts there
              CI: 'true',
              CDK_DISABLE_CLI_TELEMETRY: 'true',
            },
          },
        )
      const depths = async () => {
        const provider = openProvider(emulatorSettings(ministack.endpoint))
        const names = ['my-job', 'my-job-events', 'my-job-dead']
        const found = names.map(name => provider.openQueue(name, { leaseSeconds: 60 }).admin.depth())
        return (await Promise.all(found).finally(() => provider.close())).map(depth => depth !== undefined)
      }

      it('deploys the job, with the agent where its VMs fetch it, and destroys it with the last VM', async () => {
        await cdk('bootstrap', `aws://${ACCOUNT}/${REGION}`, '--app', '')
        const app = ['-c', `config=${join(folder, 'job.yml')}`]
        const outputs = join(folder, 'outputs.json')
        const direct = ['--require-approval', 'never', '--method', 'direct', '--outputs-file', outputs]
        await cdk('deploy', ...app, ...direct)
        const said: { 'cloud-tasks-my-job': object } = JSON.parse(await readFile(outputs, 'utf8'))
        assert.ok(Object.values(said['cloud-tasks-my-job']).includes('rmscr-my-job'))
        assert.deepEqual(await depths(), [true, true, true])
        await checkUserData(ec2, emulatorSettings(ministack.endpoint))

        await startVm(ec2, 'my-job')
        assert.deepEqual(await vmStates(ec2), ['running'])
        await cdk('destroy', ...app, '--force')
        assert.deepEqual(await vmStates(ec2), ['terminated'])
        assert.deepEqual(await depths(), [false, false, false])
      })

      it('says in one sentence what is wrong with the job', async () => {
        await assert.rejects(cdk('synth'), /Which job\? Give its file: npx cdk deploy -c config=/)
        await assert.rejects(cdk('synth', '-c', `config=${join(folder, 'none.yml')}`), /none\.yml does not exist/)
      })
    })

    it('takes its place in an app of somebody else, and can be given to', { timeout: LIMIT_MS }, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'cloud-tasks-app-'))
      try {
        await mkdir(join(folder, 'node_modules'))
        for (const name of ['aws-cdk-lib', 'constructs']) {
          await symlink(join(APP, 'node_modules', name), join(folder, 'node_modules', name))
        }
        await symlink(ROOT, join(folder, 'node_modules/cloud-tasks'))
        await writeFile(join(folder, 'app.mjs'), OWN_APP)
        const printed = await run(process.execPath, ['--conditions=cloud-tasks-source', 'app.mjs'], {
          cwd: folder,
          env: { TMPDIR: folder },
        })
        assert.equal(printed, 'all is there\n')
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    })
  }),
)

/** VMs fetch exactly what the CDK has put into its bucket. */
async function checkUserData(ec2: EC2Client, settings: ReturnType<typeof emulatorSettings>): Promise<void> {
  const { LaunchTemplateVersions = [] } = await ec2.send(
    new DescribeLaunchTemplateVersionsCommand({ LaunchTemplateName: 'rmscr-my-job', Versions: ['$Latest'] }),
  )
  const data = LaunchTemplateVersions[0]?.LaunchTemplateData
  assert.equal(data?.ImageId, 'ami-12c6146b')
  const script = Buffer.from(data?.UserData ?? '', 'base64').toString()
  const brought = [...script.matchAll(/^bring (\w+) '(s3:[^']+)' '?([0-9a-f]{128})/gm)]
  assert.deepEqual(
    brought.map(([, what]) => what),
    ['agent', 'bundle'],
  )
  const objects = new AwsObjects(settings)
  for (const [, , url = '', sha512] of brought) {
    const hash = createHash('sha512')
    for await (const chunk of objects.read(url)) hash.update(chunk)
    assert.equal(hash.digest('hex'), sha512)
  }
  objects.close()
}

const OWN_APP = `
import { App, Duration, Stack } from 'aws-cdk-lib'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { Vpc } from 'aws-cdk-lib/aws-ec2'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import { SpotTaskPool } from 'cloud-tasks/aws'

const app = new App()
const stack = new Stack(app, 'Mine')
const pool = new SpotTaskPool(stack, 'Pool', {
  job: { provider: 'aws', run: { startup_script: 'echo hello' }, aws: { job_id: 'my-job' } },
  vpc: new Vpc(stack, 'Vpc', { natGateways: 0 }),
  manager: 'here',
  oldestTaskAlarm: Duration.hours(2),
  tags: { team: 'science' },
})
new Bucket(stack, 'Data').grantRead(pool.vmRole)
const template = Template.fromStack(stack)
template.resourceCountIs('AWS::EC2::VPC', 1)
template.resourceCountIs('AWS::Lambda::Function', 0)
template.hasResourceProperties('AWS::SQS::Queue', {
  QueueName: 'my-job',
  Tags: Match.arrayWith([{ Key: 'team', Value: 'science' }]),
})
template.hasResourceProperties('AWS::CloudWatch::Alarm', { Threshold: 7200 })
template.hasResourceProperties('AWS::IAM::Policy', { Roles: [Match.objectLike({ Ref: Match.stringLikeRegexp('VmRole') })] })
if (pool.managerFunction !== undefined || pool.notebook !== undefined) throw new Error('There is a manager.')
for (const part of ['taskQueue', 'eventQueue', 'deadLetterQueue', 'launchTemplate', 'alarms', 'dashboard']) {
  if (pool[part] === undefined) throw new Error('There is no ' + part)
}
console.log('all is there')
`
