// What the serverless manager may do: look at queues, prices and VMs, and start and end VMs of this job alone.
import { Stack } from 'aws-cdk-lib'
import type { CfnLaunchTemplate } from 'aws-cdk-lib/aws-ec2'
import type { PolicyStatement, Role } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { JOB_TAG } from '../vm-tags.ts'
import type { Network } from './network.ts'
import type { JobQueues } from './queues.ts'
import { allow, ownArn, WHOLE_REGION } from './statements.ts'

export interface ManagerReach {
  readonly jobId: string
  readonly queues: JobQueues
  readonly network: Network
  readonly template: CfnLaunchTemplate
  readonly imageId: string
  readonly vmRole: Role
}

const LAUNCH = ['ec2:CreateFleet', 'ec2:RunInstances'] // an instant fleet runs its instances with the rights of who asked for it

export function managerStatements(scope: Construct, reach: ManagerReach): PolicyStatement[] {
  const { jobId, queues, vmRole } = reach
  const instances = ownArn(scope, 'ec2', 'instance/*')
  return [
    allow({
      actions: ['sqs:GetQueueAttributes', 'sqs:GetQueueUrl'],
      on: [queues.tasks.queueArn, queues.events.queueArn, queues.dead.queueArn],
    }),
    allow({
      actions: [
        'ec2:DescribeAvailabilityZones',
        'ec2:DescribeInstanceTypeOfferings',
        'ec2:DescribeInstanceTypes',
        'ec2:DescribeInstances',
        'ec2:DescribeLaunchTemplateVersions',
        'ec2:DescribeLaunchTemplates',
        'ec2:DescribeSpotInstanceRequests',
        'ec2:DescribeSpotPriceHistory',
        'ec2:DescribeSubnets',
        'ec2:GetSpotPlacementScores',
        'pricing:GetProducts',
      ],
      on: WHOLE_REGION,
    }),
    ...launchStatements(scope, reach),
    allow({
      actions: ['ec2:TerminateInstances'],
      on: [instances],
      when: { StringEquals: { [`aws:ResourceTag/${JOB_TAG}`]: jobId } },
    }),
    allow({
      actions: ['iam:PassRole'],
      on: [vmRole.roleArn],
      when: { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } },
    }),
    // The first spot VM of an account needs a role that AWS defines and EC2 makes.
    allow({
      actions: ['iam:CreateServiceLinkedRole'],
      on: [iamArn(scope, 'role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot')],
      when: { StringEquals: { 'iam:AWSServiceName': 'spot.amazonaws.com' } },
    }),
  ]
}

/** Only from this job's template, image, subnets and groups, and only VMs that carry the job's tag from their first moment. */
function launchStatements(scope: Construct, { jobId, network, template, imageId }: ManagerReach): PolicyStatement[] {
  const { partition, region } = Stack.of(scope)
  const own = (rest: string) => ownArn(scope, 'ec2', rest)
  const tagged = { StringEquals: { [`aws:RequestTag/${JOB_TAG}`]: jobId } }
  const made = ['fleet/*', 'network-interface/*', 'spot-instances-request/*', 'volume/*'].map(own)
  return [
    allow({
      actions: LAUNCH,
      on: [
        own(`launch-template/${template.ref}`),
        ...network.subnetIds.map(id => own(`subnet/${id}`)),
        ...network.securityGroupIds.map(id => own(`security-group/${id}`)),
        `arn:${partition}:ec2:${region}::image/${imageId}`,
        `arn:${partition}:ec2:${region}::snapshot/*`, // of the image: its id is nobody's to know
        ...made,
      ],
    }),
    allow({ actions: LAUNCH, on: [own('instance/*')], when: tagged }),
    allow({
      actions: ['ec2:CreateTags'],
      on: [...made, own('instance/*')],
      when: { StringEquals: { 'ec2:CreateAction': ['CreateFleet', 'RunInstances'] } },
    }),
  ]
}

function iamArn(scope: Construct, rest: string): string {
  const { partition, account } = Stack.of(scope)
  return `arn:${partition}:iam::${account}:${rest}`
}
