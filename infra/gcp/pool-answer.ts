// What Compute Engine says of a launch that got less than it asked for, in the words of the pool seam. Pure.

import { launchFailure } from '../launch-failure.ts'
import type { LaunchChoice, LaunchFailure } from '../provider.ts'
import { GcpError, gcpFailureKind } from './failure.ts'
import type { LaunchGroup } from './pool-request.ts'
import { type Json, listOf, objectOf, textOf } from './rest.ts'

/** One for each choice of the request: all of them were tried. */
export function launchFailures(group: LaunchGroup, operation: Json, missing: number): LaunchFailure[] {
  const told = listOf(objectOf(operation.error).errors).map(objectOf).map(errorOf)
  const [first] = told
  if (first === undefined) {
    const message = `Compute Engine has no room for ${missing} more VMs there, and gave no reason.`
    return group.choices.map(choice => launchFailure(choice, 'capacity', message))
  }
  return group.choices.map(choice => {
    const { code, message } = told.find(error => isAbout(error.message, choice)) ?? first
    return launchFailure(choice, reasonOf(code), message.includes(code) ? message : `${code}: ${message}`)
  })
}

/** A refusal of the request itself; undefined if it is none that another place, or time, could mend. */
export function refusedLaunch(group: LaunchGroup, error: unknown): LaunchFailure[] | undefined {
  if (!(error instanceof GcpError)) return undefined
  const told = reasonOf(error.reason)
  const reason = told === 'other' && gcpFailureKind(error) === 'quota' ? 'quota' : told
  if (reason !== 'capacity' && reason !== 'quota') return undefined
  return group.choices.map(choice => launchFailure(choice, reason, error.message))
}

function errorOf({ code, message }: Json): { readonly code: string; readonly message: string } {
  return { code: textOf(code) ?? 'UNKNOWN', message: textOf(message) ?? '' }
}

/** Messages name the zone, and some the type. */
function isAbout(message: string, { offer }: LaunchChoice): boolean {
  return (
    new RegExp(`\\b${offer.zone}\\b`).test(message) && (!/ VM /.test(message) || message.includes(offer.instanceType))
  )
}

/** Another place, or a later moment, may have room. */
const NO_CAPACITY =
  /RESOURCE_POOL_EXHAUSTED|STOCKOUT|MIN_COUNT_NOT_REACHED|IP_SPACE_EXHAUSTED|RESOURCE_NOT_AVAILABLE|resourcesExhausted|UNSUPPORTED_OPERATION/i
const QUOTA = /QUOTA|LIMIT_EXCEEDED/i
const DENIED = /PERMISSION|FORBIDDEN|ACCESS_DENIED/i

function reasonOf(code: string): LaunchFailure['reason'] {
  if (NO_CAPACITY.test(code)) return 'capacity'
  if (/rateLimit|RATE_LIMIT/.test(code)) return 'other'
  if (QUOTA.test(code)) return 'quota'
  return DENIED.test(code) ? 'denied' : 'other'
}
