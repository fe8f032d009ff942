// The stack of a job on AWS, deployed for real: by the CDK in this process, through CloudFormation, onto two emulators. Moto
// starts VMs as EC2 does but makes no alarms; ministack makes everything, and runs the functions of the stack.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CloudFormationClient } from '@aws-sdk/client-cloudformation'
import { EC2Client } from '@aws-sdk/client-ec2'
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, DeleteQueueCommand, GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs'
import { systemClock } from '../../../core/clock.ts'
import type { JobFile } from '../../../core/job-file.ts'
import { awsClientConfig } from '../../../infra/aws/connection.ts'
import { openProvider } from '../../../infra/aws/index.ts'
import { AwsStack } from '../../../infra/aws/stack.ts'
import { findStack } from '../../../infra/aws/stack-watch.ts'
import type { ProviderSettings } from '../../../infra/open-provider.ts'
import type { StackSpec } from '../../../infra/stack.ts'
import { stackConformance } from '../../conformance/stack-suite.ts'
import { jobConfigWith } from '../../support/job-config.ts'
import type { Ministack } from '../../support/ministack.ts'
import { startMoto } from '../../support/moto.ts'
import { withTools } from '../../support/test-tools.ts'
import { BUCKET, emulatorSettings, IMAGE, REGION, startStackEmulator, startVm, vmStates } from './stack-emulators.ts'
import { withCdk } from './template.ts'
import { startTemplateSpoiler, type TemplateSpoiler } from './template-spoiler.ts'

const LIMIT_MS = 280_000

withTools(() =>
  withCdk(() => {
    stackConformance('aws on moto', async () => {
      const moto = await startMoto()
      return subject(emulatorSettings(moto.endpoint), 'here', {}, () => moto.close())
    })

    stackConformance('aws on ministack, with a serverless manager', async () => {
      const ministack = await startStackEmulator()
      return subject(emulatorSettings(ministack.endpoint, BUCKET), 'serverless', { image: IMAGE }, () =>
        ministack.close(),
      )
    })

    describe('the stack of a job on AWS', { timeout: LIMIT_MS }, () => {
      let ministack: Ministack
      let settings: ProviderSettings
      let stack: AwsStack
      let spoiler: TemplateSpoiler
      before(async () => {
        ministack = await startStackEmulator()
        settings = emulatorSettings(ministack.endpoint, BUCKET)
        stack = new AwsStack(settings)
        spoiler = await startTemplateSpoiler(ministack.endpoint)
      })
      after(async () => {
        await spoiler.close()
        await ministack.close()
      })

      it('puts the manager into the bucket, ends the last VM with the stack, and leaves nothing there', async () => {
        const spec = specOf('whole', 'serverless', { image: IMAGE })
        const ec2 = new EC2Client(awsClientConfig(settings, 'EC2'))
        await stack.up(spec)
        assert.match((await programsOf(settings)).join(), /^cloud-tasks\/programs\/whole\/manager-[0-9a-f]{16}\.zip$/)
        await startVm(ec2, 'whole')
        await stack.down(spec)
        assert.deepEqual(await vmStates(ec2), ['terminated'])
        assert.deepEqual(await programsOf(settings), [])
        ec2.destroy()
      })

      it('previews a change, makes it, and takes away what the job no longer wants', async () => {
        const spec = specOf('changed', 'here', { image: IMAGE })
        await stack.up(spec)
        const longer = specOf('changed', 'here', { image: IMAGE, lease_seconds: 120 })
        const queues = ['changed', 'changed-dead', 'changed-events'].map(name => `SQS Queue ${name}`)
        const rows = (await stack.preview(longer)).map(({ action, resource }) => `${action} ${resource}`)
        assert.deepEqual(
          rows.filter(row => row.includes('SQS')).toSorted(),
          queues.map(queue => `update ${queue}`),
        )
        assert.equal((await stack.up(longer)).created, false)
        assert.deepEqual(await stack.preview(longer), [])
        await stack.down(longer)
      })

      it('waits for whoever brings the same stack up at the same time', async () => {
        const spec = specOf('twice', 'here', { image: IMAGE })
        const both = await Promise.all([stack.up(spec), new AwsStack(settings).up(spec)])
        assert.deepEqual(both.map(({ created }) => created).toSorted(), [false, true])
        await stack.down(spec)
      })

      it('refuses a queue that is not its own, and leaves it alone', async () => {
        const sqs = new SQSClient({ ...awsClientConfig(settings, 'SQS'), useQueueUrlAsEndpoint: false })
        const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'foreign-events' }))
        await assert.rejects(
          stack.up(specOf('foreign', 'here', { image: IMAGE })),
          /^UserError: Queue "foreign-events" exists in us-east-1 already, and is not of this job's stack: delete it/,
        )
        await sqs.send(new GetQueueUrlCommand({ QueueName: 'foreign-events' }))
        await sqs.send(new DeleteQueueCommand({ QueueUrl }))
        sqs.destroy()
      })

      it('goes on after it was killed in the middle', async () => {
        const program = join(import.meta.dirname, 'brings-up.ts')
        const killed = spawn(process.execPath, [program, ministack.endpoint, 'killed'], { stdio: 'ignore' })
        const exit = once(killed, 'exit')
        const client = new CloudFormationClient(awsClientConfig(settings, 'CLOUDFORMATION'))
        const signal = AbortSignal.timeout(60_000)
        while ((await findStack(client, 'cloud-tasks-killed')) === undefined) {
          assert.equal(killed.exitCode, null)
          await systemClock.sleep(20, signal)
        }
        killed.kill('SIGKILL')
        await exit
        client.destroy()
        const spec = specOf('killed', 'serverless', { image: IMAGE })
        assert.equal((await stack.up(spec)).created, false)
        assert.deepEqual(await stack.preview(spec), [])
        await stack.down(spec)
      })

      it('says what failed first, and leaves nothing of a stack that did not come up', async () => {
        const spoilt = new AwsStack(emulatorSettings(spoiler.endpoint))
        const spec = specOf('failing', 'here', { image: IMAGE })
        spoiler.spoiling = true
        await assert.rejects(
          spoilt.up(spec),
          /^UserError: Deploying job "failing" failed: AWS::SQS::Queue \S+: .*VisibilityTimeout.*\. Nothing of it is left\.$/,
        )
        const changes = await spoilt.preview(spec)
        assert.ok(changes.length > 0 && changes.every(({ action }) => action === 'create'))
        spoiler.spoiling = false
        assert.equal((await spoilt.up(spec)).created, true)
        spoiler.spoiling = true
        await assert.rejects(
          spoilt.up(spec),
          /^UserError: Changing job "failing" failed: AWS::SQS::Queue \S+: .*VisibilityTimeout.*\. It is as it was before\.$/,
        )
        assert.deepEqual(await stack.preview(spec), [])
        await stack.down(spec)
      })

      it('asks for a bucket before it asks AWS for anything', async () => {
        const unreachable = new AwsStack(emulatorSettings('http://127.0.0.1:1'))
        await assert.rejects(
          unreachable.up(specOf('bare', 'serverless', {})),
          /^UserError: The manager of the job must lie where AWS can fetch it: set bucket under aws: in the job file/,
        )
      })
    })
  }),
)

function subject(
  settings: ProviderSettings,
  manager: StackSpec['manager'],
  run: JobFile['run'],
  stop: () => Promise<void>,
) {
  const provider = openProvider(settings)
  let count = 0
  return {
    stack: new AwsStack(settings),
    provider,
    spec: () => specOf(`stack-${++count}`, manager, run),
    async close() {
      await provider.close()
      await stop()
    },
  }
}

function specOf(jobId: string, manager: StackSpec['manager'], run: JobFile['run']): StackSpec {
  const config = jobConfigWith({
    provider: 'aws',
    run: { startup_script: 'echo hello', ...run },
    aws: { job_id: jobId, region: REGION },
  })
  return { jobId, queueName: jobId, config, manager }
}

async function programsOf(settings: ProviderSettings): Promise<string[]> {
  const s3 = new S3Client({ ...awsClientConfig(settings, 'S3'), forcePathStyle: true })
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET }))
  s3.destroy()
  return Contents.map(({ Key = '' }) => Key)
}
