// One launch as one EC2 Fleet request of type `instant`: EC2 itself goes through types and zones. Pure.
import { createHash } from 'node:crypto'
import {
  type _InstanceType,
  type CreateFleetCommandInput,
  type FleetBlockDeviceMappingRequest,
  type FleetLaunchTemplateOverridesRequest,
  VolumeType,
} from '@aws-sdk/client-ec2'
import type { LaunchChoice, LaunchPlan } from '../provider.ts'
import type { FleetPlaces } from './fleet-places.ts'
import { launchTags, ownerTags } from './vm-tags.ts'

export function fleetRequest(
  jobId: string,
  plan: LaunchPlan,
  { templateId, disks, subnetsByZone }: FleetPlaces,
): CreateFleetCommandInput {
  const overrides = plan.choices.flatMap((choice, index): FleetLaunchTemplateOverridesRequest[] => {
    const subnetId = subnetsByZone.get(choice.offer.zone)
    if (subnetId === undefined) return []
    const { instanceType } = choice.offer
    const mappings = diskOverride(choice, disks)
    return [
      {
        InstanceType: ec2Type(instanceType),
        SubnetId: subnetId,
        Priority: index,
        ...(mappings && { BlockDeviceMappings: mappings }),
      },
    ]
  })
  const instanceTags = launchTags(jobId, plan)
  return {
    Type: 'instant',
    ClientToken: clientToken(jobId, plan.token),
    LaunchTemplateConfigs: [
      { LaunchTemplateSpecification: { LaunchTemplateId: templateId, Version: '$Latest' }, Overrides: overrides },
    ],
    TargetCapacitySpecification: {
      TotalTargetCapacity: plan.vmCount,
      DefaultTargetCapacityType: plan.spot ? 'spot' : 'on-demand',
    },
    ...(plan.spot
      ? { SpotOptions: { AllocationStrategy: 'price-capacity-optimized', InstanceInterruptionBehavior: 'terminate' } }
      : { OnDemandOptions: { AllocationStrategy: 'lowest-price' } }),
    TagSpecifications: [
      { ResourceType: 'instance', Tags: instanceTags },
      { ResourceType: 'volume', Tags: ownerTags(jobId) },
      { ResourceType: 'fleet', Tags: ownerTags(jobId) },
    ],
  }
}

/**
 * EC2 compares the prices of whole VMs, not of places for tasks: among VMs of several sizes it would take the smallest, and a
 * pool of few VMs would stay small. So only those go into one request that hold as many tasks as the best. It also refuses a
 * type that is named twice for a zone, as with two kinds of disk.
 */
export function comparableChoices(choices: readonly LaunchChoice[]): readonly LaunchChoice[] {
  const [best] = choices
  const places = new Set<string>()
  return choices.filter(({ offer: { instanceType, zone }, tasksPerVm }) => {
    const place = `${instanceType} ${zone}`
    if (tasksPerVm < (best?.tasksPerVm ?? 0) || places.has(place)) return false
    places.add(place)
    return true
  })
}

/** The template's disks with another boot disk; undefined where the template's own is right. */
function diskOverride(
  { offer, bootDiskGib }: LaunchChoice,
  [boot, ...others]: readonly FleetBlockDeviceMappingRequest[],
): FleetBlockDeviceMappingRequest[] | undefined {
  if (boot?.Ebs === undefined) return undefined
  const sizeGib = Math.ceil(bootDiskGib)
  const wanted = Object.values(VolumeType).find(type => type === offer.bootDiskType)
  const { VolumeType: type, Iops: iops, Throughput: throughput, ...ebs } = boot.Ebs
  if (sizeGib === ebs.VolumeSize && (wanted === undefined || wanted === type)) return undefined
  const speed =
    wanted === undefined || wanted === type ? { Iops: iops, Throughput: throughput } : defaultSpeed(wanted, sizeGib)
  return [{ ...boot, Ebs: { ...ebs, VolumeSize: sizeGib, VolumeType: wanted ?? type, ...speed } }, ...others]
}

const IOPS_PER_GIB = 50 // the most that io1 allows
const MOST_IOPS = 3000

/** The others have a speed of their own. */
function defaultSpeed(type: VolumeType, sizeGib: number): { readonly Iops?: number } {
  return type === 'io1' || type === 'io2' ? { Iops: Math.min(MOST_IOPS, sizeGib * IOPS_PER_GIB) } : {}
}

/** The SDK lists the types of its day; there are more by now. */
function ec2Type(name: string): _InstanceType {
  return name as _InstanceType
}

/** At most 64 characters, the same for the same launch of the same job. */
function clientToken(jobId: string, token: string): string {
  return createHash('sha256').update(`${jobId}\n${token}`).digest('hex')
}
