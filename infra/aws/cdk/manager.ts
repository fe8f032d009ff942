// The serverless manager: a function that looks after the VMs once a minute, what it may do, and what it remembers.
import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, BillingMode, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets'
import { Policy, type Role } from 'aws-cdk-lib/aws-iam'
import { Function as LambdaFn } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import { FUNCTION_RUNTIME, type ManagerCode, makeFunctionRole, makeLogGroup } from './function-parts.ts'
import { type ManagerReach, managerStatements } from './manager-permissions.ts'
import { allow } from './statements.ts'

export interface Manager {
  readonly function: LambdaFn
  readonly notebook: Table
}

export interface ManagerParts extends ManagerReach {
  readonly packedJob: string
  readonly code: ManagerCode
  /** Ends the last VMs when the stack is deleted: by then nothing may start new ones. */
  readonly cleanup: Construct
}

const TIMEOUT_SECONDS = 55 // less than the minute until the next one
const MEMORY_MIB = 512

/**
 * Order of deletion, which is that of the dependencies: schedule, function and its permissions go before the last VMs do, and
 * the notebook after them, which says whether they are to go at all.
 */
export function makeManager(scope: Construct, { packedJob, code, cleanup, ...reach }: ManagerParts): Manager {
  const { jobId } = reach
  const notebook = new Table(scope, 'Notebook', {
    tableName: `cloud-tasks-${jobId}`,
    partitionKey: { name: 'job_id', type: AttributeType.STRING },
    billingMode: BillingMode.PAY_PER_REQUEST,
    encryption: TableEncryption.DEFAULT,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  const logGroup = makeLogGroup(scope, 'ManagerLog')
  const role: Role = makeFunctionRole(scope, 'ManagerRole', logGroup)
  const policy = new Policy(scope, 'ManagerPolicy', {
    roles: [role],
    statements: [
      ...managerStatements(scope, reach),
      allow({ actions: ['dynamodb:GetItem', 'dynamodb:PutItem'], on: [notebook.tableArn] }),
    ],
  })
  const manager = new LambdaFn(scope, 'Manager', {
    ...FUNCTION_RUNTIME,
    code: code.code,
    handler: code.managerHandler,
    description: `Looks after the VMs of Cloud Tasks job ${jobId}`,
    role,
    logGroup,
    memorySize: MEMORY_MIB,
    timeout: Duration.seconds(TIMEOUT_SECONDS),
    environment: { CLOUD_TASKS_JOB: packedJob },
  })
  // The next tick comes by itself: a failed one is not repeated by Lambda as well.
  manager.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: Duration.minutes(1) })
  const rule = new Rule(scope, 'EveryMinute', { schedule: Schedule.rate(Duration.minutes(1)) })
  rule.addTarget(new LambdaFunction(manager, { retryAttempts: 0, maxEventAge: Duration.minutes(1) }))
  cleanup.node.addDependency(notebook)
  for (const part of [manager, policy, rule]) part.node.addDependency(cleanup)
  return { function: manager, notebook }
}
