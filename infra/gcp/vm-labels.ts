// Names, labels and metadata of a job's VMs: what lists them, what makes a launch happen once, and what a VM reads about itself
// at boot.
import { createHash } from 'node:crypto'
import { vmNamePrefix } from '../../core/names.ts'
import type { LaunchChoice } from '../provider.ts'

export const JOB_LABEL = 'cloud-tasks-job'
export const TOKEN_LABEL = 'cloud-tasks-token'
/** One for each machine type of a launch, followed by its name. */
const TYPE_LABEL_PREFIX = 'cloud-tasks-type-'
/** Of the VM's metadata: a line for each choice of its launch. */
export const OFFERS_ATTRIBUTE = 'cloud-tasks-offers'
/** Of the VM's metadata: seconds since 1970. */
export const PAID_UNTIL_ATTRIBUTE = 'cloud-tasks-paid-until'

const SUFFIX_CHARS = 25 // as the Python system names its VMs
const MOST_LABEL_CHARS = 63
const VM_NAME = new RegExp(`^${vmNamePrefix('([a-z0-9-]{1,24})')}-[a-z0-9]{${SUFFIX_CHARS}}$`)

/** Of the Python system's VMs the name is all there is: they have no labels. */
export function jobOfVm(name: string): string | undefined {
  return VM_NAME.exec(name)?.[1]
}

/** The same for the same launch: asked for twice, the second VM cannot be made. */
export function vmNames(jobId: string, token: string, part: string, vmCount: number): string[] {
  return Array.from({ length: vmCount }, (_, index) => {
    const digest = createHash('sha256').update(`${jobId}\n${token}\n${part}\n${index}`).digest('hex')
    return `${vmNamePrefix(jobId)}-${BigInt(`0x1${digest}`).toString(36).slice(-SUFFIX_CHARS)}`
  })
}

/** By which the API takes the same request for a repetition. */
export function launchRequestId(jobId: string, token: string, part: string): string {
  return uuidOf(`launch\n${jobId}\n${token}\n${part}`)
}

/** Of a VM that deletes itself: so whoever lists it knows that nobody else did. */
export function powerOffRequestId(name: string): string {
  return uuidOf(`power off\n${name}`)
}

/** A token may have characters that no label can hold. */
export function tokenLabel(jobId: string, token: string): string {
  return createHash('sha256').update(`${jobId}\n${token}`).digest('hex').slice(0, 40)
}

export function launchLabels(jobId: string, token: string, choices: readonly LaunchChoice[]): Record<string, string> {
  return {
    [JOB_LABEL]: jobId,
    [TOKEN_LABEL]: tokenLabel(jobId, token),
    ...Object.fromEntries(choices.map(({ offer }) => [typeLabel(offer.instanceType), renderTypeLabel(offer)])),
  }
}

export interface LabelledType {
  readonly vcpuCount: number
  readonly priceUsdPerHour: number
  readonly bootDiskType?: string
}

/** Labels, and not metadata, because listings would carry the startup script of every VM with the metadata. */
export function readTypeLabel(
  labels: Readonly<Record<string, string>>,
  instanceType: string,
): LabelledType | undefined {
  const [vcpus, price = '', bootDiskType] = (labels[typeLabel(instanceType)] ?? '').split('__')
  const [vcpuCount, priceUsdPerHour] = [Number(vcpus), Number(price.replace('_', '.'))]
  if (!(vcpuCount > 0) || price === '' || !(priceUsdPerHour >= 0)) return undefined
  return { vcpuCount, priceUsdPerHour, ...(bootDiskType && { bootDiskType }) }
}

function typeLabel(instanceType: string): string {
  return `${TYPE_LABEL_PREFIX}${instanceType}`.slice(0, MOST_LABEL_CHARS)
}

/** Labels have no dot. */
function renderTypeLabel({ vcpuCount, priceUsdPerHour, bootDiskType }: LaunchChoice['offer']): string {
  const parts = [String(vcpuCount), String(priceUsdPerHour).replace('.', '_'), ...(bootDiskType ? [bootDiskType] : [])]
  return parts.join('__').toLowerCase().slice(0, MOST_LABEL_CHARS)
}

/** Type, zone, vCPUs, GiB of memory, of SSD and of boot disk, USD per hour, tasks at once. */
export function renderOffers(choices: readonly LaunchChoice[]): string {
  return choices
    .map(({ offer, bootDiskGib, tasksPerVm }) => {
      const { instanceType, zone, vcpuCount, memoryGib, localSsdGib, priceUsdPerHour } = offer
      const sizes = [Math.ceil(vcpuCount), float(memoryGib), localSsdGib, Math.ceil(bootDiskGib)]
      return [instanceType, zone, ...sizes, float(priceUsdPerHour), tasksPerVm].join(' ')
    })
    .join('\n')
}

/** As Python prints a float. */
function float(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}

function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  )
}
