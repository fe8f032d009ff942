// What the VMs of a job may do: exactly what an agent does, with the queues, objects and secrets of this job.
import { Stack } from 'aws-cdk-lib'
import { CfnInstanceProfile, PolicyDocument, type PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import type { JobConfig } from '../../../core/job-config.ts'
import { jobObjectsPrefix, type StoredProgram } from '../programs.ts'
import type { JobQueues } from './queues.ts'
import { allow, ownArn } from './statements.ts'

export interface VmRole {
  readonly role: Role
  readonly profile: CfnInstanceProfile
}

interface VmRoleParts {
  readonly jobId: string
  readonly config: JobConfig
  readonly queues: JobQueues
  /** What VMs fetch as they boot. */
  readonly programs: readonly StoredProgram[]
}

export function makeVmRole(scope: Construct, parts: VmRoleParts): VmRole {
  const role = new Role(scope, 'VmRole', {
    assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
    description: `VMs of Cloud Tasks job ${parts.jobId}`,
    inlinePolicies: { agent: new PolicyDocument({ statements: agentStatements(scope, parts) }) },
  })
  return { role, profile: new CfnInstanceProfile(scope, 'VmProfile', { roles: [role.roleName] }) }
}

function agentStatements(scope: Construct, { jobId, config, queues, programs }: VmRoleParts): PolicyStatement[] {
  const { tasks, events, dead } = queues
  const { partition } = Stack.of(scope)
  const { bucket } = config.section
  return [
    allow({
      actions: [
        'sqs:ReceiveMessage',
        'sqs:DeleteMessage',
        'sqs:ChangeMessageVisibility',
        'sqs:GetQueueAttributes', // an agent ends its VM when the queue has stayed empty
      ],
      on: [tasks.queueArn],
    }),
    // A task that is not done yet is sent again by its agent, with its history.
    allow({
      actions: ['sqs:SendMessage', 'sqs:GetQueueUrl'],
      on: [tasks.queueArn, events.queueArn, dead.queueArn],
    }),
    ...(bucket === undefined
      ? []
      : [
          allow({
            actions: ['s3:GetObject', 's3:PutObject', 's3:DeleteObject'],
            on: [`arn:${partition}:s3:::${bucket}/${jobObjectsPrefix(jobId)}*`],
          }),
        ]),
    ...(programs.length === 0
      ? []
      : [
          allow({
            actions: ['s3:GetObject'],
            on: programs.map(({ bucket, key }) => `arn:${partition}:s3:::${bucket}/${key}`),
          }),
        ]),
    ...secretStatements(scope, Object.values(config.boot.secrets)),
  ]
}

/** The addresses that boot-tools.ts reads: ARNs of Secrets Manager, else names or ARNs of SSM parameters. */
function secretStatements(scope: Construct, addresses: readonly string[]): PolicyStatement[] {
  const secrets = addresses.filter(isManagedSecret).map(wholeArn)
  const parameters = addresses
    .filter(address => !isManagedSecret(address))
    .map(name => (name.startsWith('arn:') ? name : ownArn(scope, 'ssm', `parameter/${name.replace(/^\//, '')}`)))
  return [
    ...(parameters.length === 0 ? [] : [allow({ actions: ['ssm:GetParameter'], on: parameters })]),
    ...(secrets.length === 0 ? [] : [allow({ actions: ['secretsmanager:GetSecretValue'], on: secrets })]),
  ]
}

function isManagedSecret(address: string): boolean {
  return /^arn:[^:]*:secretsmanager:/.test(address)
}

/** Secrets Manager ends each ARN with six characters of its own, which people leave out. */
function wholeArn(arn: string): string {
  return /-[A-Za-z0-9]{6}$/.test(arn) ? arn : `${arn}-??????`
}
