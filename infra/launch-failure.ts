// A shortage as a value: which choice could not be had, and why.
import type { LaunchChoice, LaunchFailure } from './provider.ts'

export function launchFailure(
  { offer }: LaunchChoice,
  reason: LaunchFailure['reason'],
  message: string,
): LaunchFailure {
  return { reason, instanceType: offer.instanceType, zone: offer.zone, message }
}
