// The tags of a job's VMs: what lists them, what makes a launch happen once, and what a VM reads about itself at boot. Keys
// hold only what the metadata service can show: letters, digits and + - = . , _ : @.
import type { Tag } from '@aws-sdk/client-ec2'
import { vmNamePrefix } from '../../core/names.ts'
import type { LaunchChoice, LaunchPlan } from '../provider.ts'

/** The Python system lists by one of these and writes the other: VMs carry both. Ours list by the first. */
export const JOB_TAG = 'rms-cloud-tasks-job-id'
const PEER_JOB_TAG = 'rms_cloud_tasks_job_id'
export const TOKEN_TAG = 'cloud-tasks:token'
export const PAID_UNTIL_TAG = 'cloud-tasks:paid-until'
/** One for each choice of a launch, followed by `<type>:<zone>`. */
export const OFFER_TAG_PREFIX = 'cloud-tasks:offer:'
/** Of subnets that VMs of the job may use. */
export const SUBNET_JOB_TAG = 'cloud-tasks:job-id'
/** Of the launch template: ids of subnets, with commas or spaces between them. */
export const TEMPLATE_SUBNETS_TAG = 'cloud-tasks:subnets'

/** All of a launch have the same, so that one request makes them: 5 and one a choice, of which a launch has 20 at most. */
export function launchTags(jobId: string, { token, paidUntilSeconds, choices }: LaunchPlan): Tag[] {
  const tags = new Map([...jobTags(jobId), [TOKEN_TAG, token]])
  if (paidUntilSeconds !== undefined) tags.set(PAID_UNTIL_TAG, String(paidUntilSeconds))
  for (const choice of choices) tags.set(offerTag(choice.offer.instanceType, choice.offer.zone), renderOffer(choice))
  return render(tags)
}

/** Of what belongs to a VM, such as its disk. */
export function ownerTags(jobId: string): Tag[] {
  return render(new Map(jobTags(jobId)))
}

function jobTags(jobId: string): (readonly [string, string])[] {
  return [
    ['Name', vmNamePrefix(jobId)],
    [JOB_TAG, jobId],
    [PEER_JOB_TAG, jobId],
  ]
}

function render(tags: ReadonlyMap<string, string>): Tag[] {
  return [...tags].map(([Key, Value]) => ({ Key, Value }))
}

export function offerTag(instanceType: string, zone: string): string {
  return `${OFFER_TAG_PREFIX}${instanceType}:${zone}`
}

/** vCPUs, GiB of memory, of SSD and of boot disk, USD per hour, tasks at once; numbers as the Python system prints them. */
function renderOffer({ offer, bootDiskGib, tasksPerVm }: LaunchChoice): string {
  const { vcpuCount, memoryGib, localSsdGib, priceUsdPerHour } = offer
  return [
    Math.ceil(vcpuCount),
    float(memoryGib),
    localSsdGib,
    Math.ceil(bootDiskGib),
    float(priceUsdPerHour),
    tasksPerVm,
  ].join(' ')
}

export interface TaggedOffer {
  readonly vcpuCount: number
  readonly priceUsdPerHour: number
}

/** undefined for what is no such tag's value. */
export function parseOffer(value: string | undefined): TaggedOffer | undefined {
  const [vcpuCount, , , , priceUsdPerHour] = (value ?? '').split(' ').map(Number)
  if (vcpuCount === undefined || priceUsdPerHour === undefined) return undefined
  return vcpuCount > 0 && priceUsdPerHour >= 0 ? { vcpuCount, priceUsdPerHour } : undefined
}

function float(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}
