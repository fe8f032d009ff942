// One CloudFormation stack by its name: how it is, how it is waited for, and why it failed.
import {
  type CloudFormationClient,
  DescribeStacksCommand,
  paginateDescribeStackEvents,
  type Stack,
  type StackEvent,
  type StackStatus,
} from '@aws-sdk/client-cloudformation'
import { systemClock } from '../../core/clock.ts'
import { messageOf, UserError } from '../../core/errors.ts'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 5_000
const PATIENCE_MS = 45 * 60_000 // the last VMs may take 15 minutes, networks about as long
const MAX_REASON_CHARS = 500

/** undefined = there is none, or it was deleted. */
export async function findStack(client: CloudFormationClient, nameOrId: string): Promise<Stack | undefined> {
  try {
    const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: nameOrId }))
    return Stacks.find(({ StackStatus: status }) => status !== 'DELETE_COMPLETE')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** CloudFormation says it in words only. */
function isMissing(error: unknown): boolean {
  return error instanceof Error && /does not exist/i.test(messageOf(error)) && error.name !== 'NoSuchBucket'
}

/** As it is when nothing changes in it any more; undefined = gone. Bounded. */
export async function settledStack(client: CloudFormationClient, nameOrId: string): Promise<Stack | undefined> {
  const startedAt = systemClock.now()
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
    const stack = await findStack(client, nameOrId)
    if (stack === undefined || !isMoving(stack.StackStatus)) return stack
    if (systemClock.now() - startedAt > PATIENCE_MS) {
      throw new UserError(
        `Stack ${stack.StackName} is still ${stack.StackStatus} after ${PATIENCE_MS / 60_000} minutes. It goes on by ` +
          'itself; run the same command again later, or look at it in the console of CloudFormation.',
      )
    }
    await systemClock.sleep(pauseMs)
  }
}

/** REVIEW_IN_PROGRESS is none: a stack that nobody has executed yet stays so. */
function isMoving(status: StackStatus | undefined): boolean {
  return status?.endsWith('_IN_PROGRESS') === true && status !== 'REVIEW_IN_PROGRESS'
}

/** A stack that never came up: CloudFormation lets it only be deleted. */
export function isStillborn({ StackStatus: status }: Stack): boolean {
  return ['ROLLBACK_COMPLETE', 'ROLLBACK_FAILED', 'CREATE_FAILED', 'REVIEW_IN_PROGRESS', 'DELETE_FAILED'].includes(
    status ?? '',
  )
}

/** The first thing that went wrong in the operation with this token, in CloudFormation's words. */
export async function firstFailure(client: CloudFormationClient, stackId: string, token: string): Promise<string> {
  const events: StackEvent[] = []
  for await (const { StackEvents = [] } of paginateDescribeStackEvents({ client }, { StackName: stackId })) {
    events.push(...StackEvents)
  }
  const ours = events.filter(event => event.ClientRequestToken === token)
  const failed = (ours.length > 0 ? ours : events).filter(
    ({ ResourceStatus: status, ResourceStatusReason: reason }) =>
      status?.endsWith('_FAILED') && reason !== undefined && !/cancelled|canceled/i.test(reason),
  )
  const first = failed.at(-1) // they come newest first
  if (first === undefined) return 'CloudFormation gave no reason; its console shows the events of the stack'
  const {
    ResourceType: type,
    LogicalResourceId: id,
    PhysicalResourceId: physical,
    ResourceStatusReason: reason,
  } = first
  return `${type} ${physical || id}: ${(reason ?? '').replaceAll(/\s+/g, ' ').slice(0, MAX_REASON_CHARS)}`
}
