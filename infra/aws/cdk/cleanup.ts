// Ends the last VMs when the stack is deleted: they hold on to its network, and cost money that nobody would notice any more.
import { CfnCustomResource, Duration } from 'aws-cdk-lib'
import type { Role } from 'aws-cdk-lib/aws-iam'
import { Function as LambdaFn } from 'aws-cdk-lib/aws-lambda'
import type { Construct, IDependable } from 'constructs'
import { stackNameOf } from '../stack-name.ts'
import { JOB_TAG } from '../vm-tags.ts'
import { FUNCTION_RUNTIME, type ManagerCode, makeFunctionRole, makeLogGroup } from './function-parts.ts'
import { allow, ownArn, WHOLE_REGION } from './statements.ts'

export interface CleanupParts {
  readonly jobId: string
  readonly packedJob: string
  readonly code: ManagerCode
  /** What VMs hold on to. It is made before, so it is deleted after. */
  readonly heldByVms: readonly IDependable[]
}

const TIMEOUT = Duration.minutes(14) // the most of a function is 15; VMs take a minute or two to end
const MEMORY_MIB = 256

export function makeCleanup(scope: Construct, { jobId, packedJob, code, heldByVms }: CleanupParts): CfnCustomResource {
  const logGroup = makeLogGroup(scope, 'CleanupLog')
  const role: Role = makeFunctionRole(scope, 'CleanupRole', logGroup)
  role.addToPolicy(allow({ actions: ['ec2:DescribeInstances', 'ec2:DescribeSpotInstanceRequests'], on: WHOLE_REGION }))
  role.addToPolicy(
    allow({
      actions: ['ec2:TerminateInstances'],
      on: [ownArn(scope, 'ec2', 'instance/*')],
      when: { StringEquals: { [`aws:ResourceTag/${JOB_TAG}`]: jobId } },
    }),
  )
  // Whether VMs have been handed over to another manager. makeManager sees to it that the table outlives this function.
  role.addToPolicy(
    allow({ actions: ['dynamodb:GetItem'], on: [ownArn(scope, 'dynamodb', `table/${stackNameOf(jobId)}`)] }),
  )
  const cleanup = new LambdaFn(scope, 'Cleanup', {
    ...FUNCTION_RUNTIME,
    code: code.code,
    handler: code.cleanupHandler,
    description: `Ends the VMs of Cloud Tasks job ${jobId} when its stack is deleted`,
    role,
    logGroup,
    memorySize: MEMORY_MIB,
    timeout: TIMEOUT,
    environment: { CLOUD_TASKS_JOB: packedJob },
  })
  const resource = new CfnCustomResource(scope, 'LastVms', {
    serviceToken: cleanup.functionArn,
    serviceTimeout: Duration.minutes(15).toSeconds(),
  })
  resource.addPropertyOverride('JobId', jobId)
  resource.node.addDependency(role, ...heldByVms)
  return resource
}
