// What EC2 Fleet answers to a launch, in the words of the pool seam. Pure.
import type { CreateFleetCommandOutput, CreateFleetError, CreateFleetInstance } from '@aws-sdk/client-ec2'
import { vmId } from '../../core/ids.ts'
import { launchFailure } from '../launch-failure.ts'
import type { LaunchFailure, LaunchPlan, LaunchReport, Vm } from '../provider.ts'
import { awsFailureKind } from './failure.ts'

export interface FleetContext {
  readonly jobId: string
  readonly plan: LaunchPlan
  readonly subnetsByZone: ReadonlyMap<string, string>
  readonly launchedAt: Date
}

/** The VMs are not asked for once more: a listing may not know them yet. */
export function launchReportOf({ Instances, Errors }: CreateFleetCommandOutput, context: FleetContext): LaunchReport {
  const launched = (Instances ?? []).flatMap(group => vmsOf(group, context))
  const failures = distinct((Errors ?? []).map(error => failureOf(error, context)))
  const [best] = context.plan.choices
  if (failures.length === 0 && best !== undefined && launched.length < context.plan.vmCount) {
    const message = `EC2 started ${launched.length} of ${context.plan.vmCount} VMs and gave no reason.`
    return { launched, failures: [launchFailure(best, 'capacity', message)] }
  }
  return { launched, failures }
}

function vmsOf(group: CreateFleetInstance, { jobId, plan, launchedAt, ...context }: FleetContext): Vm[] {
  const place = placeOf(group, context)
  const instanceType = group.InstanceType ?? place.instanceType
  const offer = plan.choices.find(choice => {
    return choice.offer.instanceType === instanceType && choice.offer.zone === place.zone
  })?.offer
  return (group.InstanceIds ?? []).map(id => ({
    id: vmId(id),
    jobId,
    state: 'starting',
    instanceType,
    zone: place.zone,
    spot: group.Lifecycle === undefined ? plan.spot : group.Lifecycle === 'spot',
    vcpuCount: offer?.vcpuCount ?? 0,
    priceUsdPerHour: offer?.priceUsdPerHour,
    launchedAt,
  }))
}

function failureOf(error: CreateFleetError, context: FleetContext): LaunchFailure {
  const { ErrorCode: code = 'Unknown', ErrorMessage: message = '' } = error
  const said = message.replace(/\s*Encoded authorization failure message: \S+/, '').trim()
  return {
    ...placeOf(error, context),
    reason: reasonOf(code),
    message: said.includes(code) ? said : `${code}: ${said}`,
  }
}

function placeOf(
  { LaunchTemplateAndOverrides }: Pick<CreateFleetError, 'LaunchTemplateAndOverrides'>,
  { subnetsByZone }: Pick<FleetContext, 'subnetsByZone'>,
): { readonly instanceType: string; readonly zone: string } {
  const { InstanceType, SubnetId, AvailabilityZone } = LaunchTemplateAndOverrides?.Overrides ?? {}
  const zone = [...subnetsByZone].find(([, subnetId]) => subnetId === SubnetId)?.[0]
  return { instanceType: InstanceType ?? 'unknown', zone: AvailabilityZone ?? zone ?? 'unknown' }
}

/** Another place, or a later moment, may have room. */
const NO_CAPACITY = new Set([
  'InsufficientCapacity',
  'InsufficientFreeAddressesInSubnet',
  'InsufficientHostCapacity',
  'InsufficientInstanceCapacity',
  'InvalidFleetConfiguration', // with: the type is not supported in this zone
  'MaxScheduledInstanceCapacityExceeded',
  'ReservationCapacityExceeded',
  'SpotMaxPriceTooLow',
  'UnfulfillableCapacity',
  'Unsupported',
])
const QUOTAS = new Set(['MaxFleetCountExceeded', 'MaxSpotFleetRequestCountExceeded', 'VolumeLimitExceeded'])

export function reasonOf(errorCode: string): LaunchFailure['reason'] {
  const code = errorCode.replace(/^(Client|Server)\./, '')
  if (NO_CAPACITY.has(code)) return 'capacity'
  const error = new Error()
  error.name = code
  const kind = awsFailureKind(error)
  if (kind === 'quota' || QUOTAS.has(code)) return 'quota'
  // The first spot VM of an account needs a role that AWS makes by itself, if it may.
  return kind === 'denied' || code.startsWith('AuthFailure.ServiceLinkedRole') ? 'denied' : 'other'
}

function distinct(failures: readonly LaunchFailure[]): LaunchFailure[] {
  const seen = new Map(failures.map(failure => [`${failure.instanceType} ${failure.zone} ${failure.reason}`, failure]))
  return [...seen.values()]
}
