// Permissions as sentences: what may be done with what, and on what condition. Knows no role in particular.
import { Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'

export interface Permission {
  readonly actions: readonly string[]
  readonly on: readonly string[]
  readonly when?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>
}

export function allow({ actions, on, when }: Permission): PolicyStatement {
  return new PolicyStatement({
    actions: [...actions],
    resources: [...on],
    ...(when && { conditions: when }),
  })
}

/** Where AWS lets no resource be named: the action looks at a whole region, and changes nothing. */
export const WHOLE_REGION = ['*']

/** `arn:<partition>:<service>:<region>:<account>:<rest>` of the stack's own account. */
export function ownArn(scope: Construct, service: string, rest: string): string {
  const { partition, region, account } = Stack.of(scope)
  return `arn:${partition}:${service}:${region}:${account}:${rest}`
}
