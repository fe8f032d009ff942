// Requests to moto for which the project has no client: the Lambda functions of a stack, called as their schedule would, and
// secrets.
import assert from 'node:assert/strict'
import { systemClock } from '../../../core/clock.ts'
import type { Moto } from '../../support/moto.ts'

const REGION = 'us-east-1'

interface ScheduleOptions {
  readonly everyMs: number
  readonly signal: AbortSignal
  /** Gets the answers of calls that failed. */
  readonly failures: string[]
}

/** As EventBridge would: one call after the other, whatever they answer. */
export async function callOnSchedule(moto: Moto, { everyMs, signal, failures }: ScheduleOptions): Promise<void> {
  const name = await managerName(moto)
  while (!signal.aborted) {
    const { failed, answer } = await callFunction(moto, name)
    if (failed) failures.push(answer)
    await systemClock.sleep(everyMs, signal)
  }
}

async function managerName(moto: Moto): Promise<string> {
  const manager = (await listFunctions(moto)).find(({ Handler }) => Handler.endsWith('.handler'))
  assert.ok(manager !== undefined)
  return manager.FunctionName
}

export async function functionNames(moto: Moto): Promise<readonly string[]> {
  return (await listFunctions(moto)).map(({ FunctionName }) => FunctionName)
}

async function listFunctions(moto: Moto) {
  const answer = await lambdaRequest(moto, 'GET', '')
  const { Functions }: { Functions: readonly { FunctionName: string; Handler: string }[] } = JSON.parse(answer.text)
  return Functions
}

async function callFunction(moto: Moto, name: string): Promise<{ readonly failed: boolean; readonly answer: string }> {
  const { text, headers } = await lambdaRequest(moto, 'POST', `/${name}/invocations`)
  return { failed: headers.has('x-amz-function-error'), answer: text }
}

async function lambdaRequest(moto: Moto, method: string, path: string) {
  const scope = `test/20260101/${REGION}/lambda/aws4_request`
  const response = await fetch(`${moto.endpoint}/2015-03-31/functions${path}`, {
    method,
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=none` },
    ...(method === 'POST' ? { body: '{}' } : undefined),
  })
  return { text: await response.text(), headers: response.headers }
}

export async function putSecret(moto: Moto, name: string, value: string): Promise<void> {
  const response = await fetch(moto.endpoint, {
    method: 'POST',
    headers: {
      'x-amz-target': 'AmazonSSM.PutParameter',
      'content-type': 'application/x-amz-json-1.1',
      authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/${REGION}/ssm/aws4_request, SignedHeaders=host, Signature=none`,
    },
    body: JSON.stringify({ Name: name, Value: value, Type: 'SecureString' }),
  })
  assert.ok(response.ok, await response.text())
}
