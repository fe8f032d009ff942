// What a template cannot say and AWS knows: which image a name means, which network subnets are in, whose a queue is.
import { DescribeImagesCommand, DescribeSubnetsCommand, EC2Client, type Image } from '@aws-sdk/client-ec2'
import { GetQueueUrlCommand, ListQueueTagsCommand, SQSClient } from '@aws-sdk/client-sqs'
import { UserError } from '../../core/errors.ts'
import type { JobConfig } from '../../core/job-config.ts'
import { deadLetterQueueName, eventQueueName } from '../../core/names.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { StackSpec } from '../stack.ts'
import { awsClientConfig } from './connection.ts'
import { awsErrorCode, awsFailure } from './failure.ts'
import { SUBNET_JOB_TAG } from './vm-tags.ts'

export interface LookedUp {
  /** `ami-…`; undefined = the template says it itself. */
  readonly image?: string | undefined
  readonly rootDeviceName?: string | undefined
  readonly vpcId?: string | undefined
}

/** Asks for nothing that the job leaves to its stack. */
export async function lookUp(settings: ProviderSettings, region: string, config: JobConfig): Promise<LookedUp> {
  const client = new EC2Client(awsClientConfig(settings, 'EC2', { region }))
  try {
    return { ...(await lookUpImage(client, config)), vpcId: await lookUpVpc(client, config) }
  } catch (error) {
    throw awsFailure(error, { doing: 'looking up the image and subnets of the job', region })
  } finally {
    client.destroy()
  }
}

const PUBLISHERS = ['self', 'amazon', '099720109477'] // the last is Canonical

async function lookUpImage(client: EC2Client, { boot, machine }: JobConfig): Promise<LookedUp> {
  const { image: wanted } = boot
  if (wanted === undefined || /^(\/|resolve:ssm:)/.test(wanted)) return {}
  const architecture = machine.architecture === 'ARM64' ? 'arm64' : 'x86_64'
  const images = await describeImages(client, wanted)
  const image = images
    .filter(({ Architecture: its }) => its === undefined || its === architecture)
    .toSorted((a, b) => (b.CreationDate ?? '').localeCompare(a.CreationDate ?? ''))[0]
  if (image?.ImageId !== undefined) return { image: image.ImageId, rootDeviceName: image.RootDeviceName }
  const other = images[0]?.Architecture
  throw new UserError(
    other === undefined
      ? `There is no image "${wanted}" in ${await client.config.region()}: see "cloud-tasks list_images".`
      : `Image "${wanted}" is for ${other}, but the job's architecture is ${architecture}: change one of them.`,
  )
}

async function describeImages(client: EC2Client, wanted: string): Promise<Image[]> {
  const byId = /^ami-[0-9a-f]+$/.test(wanted)
  const command = byId
    ? new DescribeImagesCommand({ ImageIds: [wanted] })
    : new DescribeImagesCommand({ Owners: PUBLISHERS, Filters: [{ Name: 'name', Values: [wanted] }] })
  try {
    return (await client.send(command)).Images ?? []
  } catch (error) {
    if (/^InvalidAMIID\./.test(awsErrorCode(error))) return []
    throw error
  }
}

/** Only where the stack has to make a security group among the user's own subnets. */
async function lookUpVpc(client: EC2Client, { section }: JobConfig): Promise<string | undefined> {
  const { subnets, security_groups: groups } = section
  if (subnets === undefined || groups !== undefined) return undefined
  const ids = typeof subnets === 'string' ? [subnets] : [...subnets]
  const { Subnets = [] } = await client.send(new DescribeSubnetsCommand({ SubnetIds: ids }))
  const [vpcId, ...others] = new Set(Subnets.map(({ VpcId }) => VpcId))
  if (others.length > 0) throw new UserError('The subnets of the job are in several networks: name those of one.')
  return vpcId
}

/**
 * CloudFormation would find out after a minute, and in words of its own. A queue of this job's is none: SQS shows it for a
 * minute after it was deleted.
 */
export async function refuseForeignQueues(
  settings: ProviderSettings,
  region: string,
  { jobId, queueName }: Pick<StackSpec, 'jobId' | 'queueName'>,
): Promise<void> {
  const config = awsClientConfig(settings, 'SQS', { region })
  const client = new SQSClient({ ...config, useQueueUrlAsEndpoint: false })
  try {
    for (const name of [queueName, eventQueueName(queueName), deadLetterQueueName(queueName)]) {
      const owner = await ownerOf(client, name)
      if (owner === undefined || owner === jobId) continue
      throw new UserError(
        `Queue "${name}" exists in ${region} already, and is not of this job's stack: delete it ` +
          '(cloud-tasks delete_queue), or give the job another queue_name.',
      )
    }
  } catch (error) {
    throw awsFailure(error, { doing: `looking for the queues of job "${jobId}"`, region })
  } finally {
    client.destroy()
  }
}

/** The job whose stack made the queue, `''` if none did; undefined = there is no such queue. */
async function ownerOf(client: SQSClient, name: string): Promise<string | undefined> {
  try {
    const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: name }))
    const { Tags } = await client.send(new ListQueueTagsCommand({ QueueUrl }))
    return Tags?.[SUBNET_JOB_TAG] ?? ''
  } catch (error) {
    if (['QueueDoesNotExist', 'NonExistentQueue'].includes(awsErrorCode(error))) return undefined
    throw error
  }
}
