// Emulators on which the stack of a job is deployed, and what the tests ask of them.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { DescribeInstancesCommand, type EC2Client, RunInstancesCommand } from '@aws-sdk/client-ec2'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { awsClientConfig } from '../../../infra/aws/connection.ts'
import type { ProviderSettings } from '../../../infra/open-provider.ts'
import { type Ministack, STACK_SERVICES, startMinistack } from '../../support/ministack.ts'

export const REGION = 'us-east-1'
export const ACCOUNT = '123456789012'
export const BUCKET = 'programs-of-jobs'
/** A path of SSM. Ministack knows none of those that AWS fills. */
export const IMAGE = '/images/ubuntu'

export function emulatorSettings(endpoint: string, bucket?: string): ProviderSettings {
  return {
    region: REGION,
    ...(bucket && { bucket }),
    env: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: ACCOUNT, // ministack takes the account from it
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
  }
}

/** With a bucket, and an image to boot from. */
export async function startStackEmulator(): Promise<Ministack> {
  const ministack = await startMinistack({ services: STACK_SERVICES })
  const { endpoint } = ministack
  const s3 = new S3Client({ ...awsClientConfig(emulatorSettings(endpoint), 'S3'), forcePathStyle: true })
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }))
  s3.destroy()
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: {
      Authorization: `AWS4-HMAC-SHA256 Credential=${ACCOUNT}/20260101/${REGION}/ssm/aws4_request, SignedHeaders=host, Signature=0`,
      'X-Amz-Target': 'AmazonSSM.PutParameter',
      'Content-Type': 'application/x-amz-json-1.1',
    },
    body: JSON.stringify({ Name: IMAGE, Value: 'ami-12c6146b', Type: 'String' }),
  })
  if (!answer.ok) throw new Error(`ministack took no parameter: ${await answer.text()}`)
  return ministack
}

/** As a manager would, but without a fleet, which ministack has none of. */
export async function startVm(client: EC2Client, jobId: string): Promise<void> {
  const tags = [{ Key: 'rms-cloud-tasks-job-id', Value: jobId }]
  await client.send(
    new RunInstancesCommand({
      MinCount: 1,
      MaxCount: 1,
      LaunchTemplate: { LaunchTemplateName: `rmscr-${jobId}`, Version: '$Latest' },
      InstanceType: 't3.small',
      TagSpecifications: [{ ResourceType: 'instance', Tags: tags }],
    }),
  )
}

export async function vmStates(client: EC2Client): Promise<(string | undefined)[]> {
  const { Reservations = [] } = await client.send(new DescribeInstancesCommand({}))
  return Reservations.flatMap(({ Instances = [] }) => Instances.map(({ State }) => State?.Name))
}

const runProgram = promisify(execFile)

export interface ProgramRun {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Bounded; what it printed. Rejects with all of that if it fails. */
export async function run(program: string, args: readonly string[], { cwd, env }: ProgramRun): Promise<string> {
  const { stdout, stderr } = await runProgram(program, args, { cwd, env: { ...process.env, ...env }, timeout: 240_000 })
  return stdout + stderr
}
