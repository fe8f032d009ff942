// What EC2 says of an instance, in the words of the pool seam. Pure.
import type { Instance as Ec2Instance } from '@aws-sdk/client-ec2'
import { vmId } from '../../core/ids.ts'
import type { Vm, VmState } from '../provider.ts'
import { JOB_TAG, offerTag, parseOffer } from './vm-tags.ts'

/** undefined for an answer without an id. `spotEnds`: when those ended that do not say it themselves. */
export function vmOf(instance: Ec2Instance, spotEnds: ReadonlyMap<string, Date>): Vm | undefined {
  const { InstanceId: id, InstanceType: instanceType = 'unknown', LaunchTime: launchedAt } = instance
  if (id === undefined) return undefined
  const zone = instance.Placement?.AvailabilityZone ?? 'unknown'
  const tags = new Map(instance.Tags?.map(({ Key = '', Value = '' }) => [Key, Value]))
  const offer = parseOffer(tags.get(offerTag(instanceType, zone)))
  const state = stateOf(instance)
  const endedAt = state === 'terminated' ? (transitionAt(instance) ?? spotEnds.get(id)) : undefined
  const endReason = state === 'terminated' || state === 'stopping' ? endReasonOf(instance) : undefined
  return {
    id: vmId(id),
    jobId: tags.get(JOB_TAG) ?? '',
    state,
    instanceType,
    zone,
    spot: instance.InstanceLifecycle === 'spot',
    vcpuCount: offer?.vcpuCount ?? vcpusOf(instance),
    priceUsdPerHour: offer?.priceUsdPerHour,
    launchedAt: launchedAt ?? new Date(0),
    ...(endedAt === undefined ? undefined : { endedAt }),
    ...(endReason === undefined ? undefined : { endReason }),
    ...(instance.PrivateIpAddress === undefined ? undefined : { privateIp: instance.PrivateIpAddress }),
    ...(instance.PublicIpAddress === undefined ? undefined : { publicIp: instance.PublicIpAddress }),
  }
}

/** A stopped one works no more, but its disk costs money until it is terminated. */
function stateOf({ State }: Ec2Instance): VmState {
  switch (State?.Name) {
    case 'pending':
      return 'starting'
    case 'shutting-down':
    case 'stopping':
    case 'stopped':
      return 'stopping'
    case 'terminated':
      return 'terminated'
    default:
      return 'running'
  }
}

function vcpusOf({ CpuOptions }: Ec2Instance): number {
  return (CpuOptions?.CoreCount ?? 0) * (CpuOptions?.ThreadsPerCore ?? 1)
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html */
const END_REASONS: Readonly<Record<string, string>> = {
  'Client.InstanceInitiatedShutdown': 'powered off',
  'Client.UserInitiatedShutdown': 'terminated',
  'Server.InsufficientInstanceCapacity': 'no capacity',
  'Server.ScheduledStop': 'retired by AWS',
  'Server.SpotInstanceShutdown': 'preempted',
  'Server.SpotInstanceTermination': 'preempted',
}

function endReasonOf({ StateReason, StateTransitionReason }: Ec2Instance): string | undefined {
  const code = StateReason?.Code || /^(?:Server|Client)\.\w+/.exec(StateTransitionReason ?? '')?.[0]
  if (code) return END_REASONS[code] ?? (StateReason?.Message || code)
  return /^User initiated/.test(StateTransitionReason ?? '') ? 'terminated' : undefined
}

/** `User initiated (2026-11-22 10:18:58 GMT)`; some transitions name no time. */
export function transitionAt({ StateTransitionReason }: Ec2Instance): Date | undefined {
  const [, day, time] = /\((\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) (?:GMT|UTC)\)/.exec(StateTransitionReason ?? '') ?? []
  return day === undefined ? undefined : new Date(`${day}T${time}Z`)
}
