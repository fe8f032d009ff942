// The faults of AWS's services for the fault proxy, each in the protocol of its request: EC2 and CloudFormation speak forms and
// XML, SQS and SSM speak JSON.
import type { Answer, Exchange, Fault } from '../../support/fault-proxy.ts'

/** `CreateFleet`, whatever the protocol. */
export function actionOf({ action, body }: Exchange): string {
  return /^\S+$/.test(action) ? action : (new URLSearchParams(body.toString('utf8')).get('Action') ?? action)
}

export function throttled(share: number): readonly Fault[] {
  return [
    refused('throttled with 400', share / 2, { status: 400, code: 'ThrottlingException', message: 'Rate exceeded' }),
    refused('throttled with 503', share / 2, {
      status: 503,
      code: 'RequestLimitExceeded',
      message: 'Request limit exceeded.',
    }),
  ]
}

export function failingServer(share: number): readonly Fault[] {
  return [
    refused('server error 500', share / 2, { status: 500, code: 'InternalError', message: 'Something failed' }),
    refused('server error 503', share / 2, { status: 503, code: 'Unavailable', message: 'The server is overloaded' }),
  ]
}

/**
 * The answer to each making or changing of a stack is cut off once, when it is done. A repetition by the same token gets that
 * answer, as CloudFormation promises; moto promises nothing.
 */
export function everyChangeLostOnce(): Fault {
  const lost = new Map<string, Answer>()
  return {
    name: 'lost answer to a request with a token',
    share: 1,
    concerns: exchange => ['CreateStack', 'UpdateStack'].includes(actionOf(exchange)),
    async strike(exchange) {
      const token = new URLSearchParams(exchange.body.toString('utf8')).get('ClientRequestToken') ?? ''
      const before = lost.get(token)
      if (before !== undefined) return exchange.reply(before)
      lost.set(token, await exchange.forward())
      exchange.drop()
    },
  }
}

export interface Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
}

function refused(name: string, share: number, refusal: Refusal): Fault {
  return { name, share, strike: async exchange => exchange.reply(inProtocolOf(exchange, refusal)) }
}

export function inProtocolOf({ action, body }: Exchange, { status, code, message }: Refusal): Answer {
  if (/^\S+$/.test(action)) {
    const text = JSON.stringify({ __type: `com.amazonaws#${code}`, message })
    return { status, headers: { 'content-type': 'application/x-amz-json-1.0' }, body: Buffer.from(text) }
  }
  const error = `<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  // EC2's dialect has a list of errors, all others have one.
  const text = body.includes('Version=2016-11-15')
    ? `<Response><Errors>${error}</Errors><RequestID>fault</RequestID></Response>`
    : `<ErrorResponse>${error}<RequestId>fault</RequestId></ErrorResponse>`
  return { status, headers: { 'content-type': 'text/xml' }, body: Buffer.from(text) }
}
