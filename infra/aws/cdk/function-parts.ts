// What the functions of a stack have in common: runtime, code, a log that ends with the stack, and a role that may only log.
import { RemovalPolicy } from 'aws-cdk-lib'
import { PolicyDocument, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, type Code, Runtime } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { allow } from './statements.ts'

export interface ManagerCode {
  readonly code: Code
  readonly managerHandler: string
  readonly cleanupHandler: string
}

export const FUNCTION_RUNTIME = { runtime: Runtime.NODEJS_24_X, architecture: Architecture.ARM_64 }

export function makeLogGroup(scope: Construct, id: string): LogGroup {
  return new LogGroup(scope, id, { retention: RetentionDays.ONE_WEEK, removalPolicy: RemovalPolicy.DESTROY })
}

/** Not AWS's own managed policy, which lets a function write to every log of the account. */
export function makeFunctionRole(scope: Construct, id: string, logGroup: LogGroup): Role {
  return new Role(scope, id, {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    inlinePolicies: {
      log: new PolicyDocument({
        statements: [allow({ actions: ['logs:CreateLogStream', 'logs:PutLogEvents'], on: [logGroup.logGroupArn] })],
      }),
    },
  })
}
