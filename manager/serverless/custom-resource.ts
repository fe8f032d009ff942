// How a function answers CloudFormation, for which it is a resource of a stack:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html
import { systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'

export interface CustomResourceEvent {
  readonly RequestType: 'Create' | 'Update' | 'Delete'
  readonly ResponseURL: string
  readonly StackId: string
  readonly RequestId: string
  readonly LogicalResourceId: string
  readonly PhysicalResourceId?: string
}

export interface Answer {
  readonly physicalId: string
  /** Why it failed; undefined = it did not. */
  readonly reason: string | undefined
}

const TRIES = 3
const ANSWER_MS = 2500 // of each: all of them within what is kept back of the function's time

export function customResourceId(functionName: string | undefined): string {
  return `${functionName ?? 'cloud-tasks'}-last-vms`
}

/** Rejects if CloudFormation cannot be reached. */
export async function reportToStack(event: CustomResourceEvent, { physicalId, reason }: Answer): Promise<void> {
  const { StackId, RequestId, LogicalResourceId, ResponseURL } = event
  const body = JSON.stringify({
    Status: reason === undefined ? 'SUCCESS' : 'FAILED',
    ...(reason !== undefined && { Reason: reason.slice(0, 1000) }),
    PhysicalResourceId: physicalId,
    StackId,
    RequestId,
    LogicalResourceId,
  })
  for (let attempt = 1; ; attempt++) {
    const problem = await put(ResponseURL, body)
    if (problem === undefined) return
    if (attempt === TRIES) throw new Error(`CloudFormation could not be answered: ${problem}.`)
    await systemClock.sleep(300 * attempt)
  }
}

/** The address is signed for a request without a content type. Returns what went wrong. */
async function put(url: string, body: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url, {
      method: 'PUT',
      body: new TextEncoder().encode(body),
      headers: { 'content-type': '' },
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    return answer.ok ? undefined : `it said ${answer.status}`
  } catch (error) {
    return messageOf(error)
  }
}
