// One launch as requests for many VMs, in the order of its choices: machine types that share their zones go into one request, in
// which Compute Engine itself goes down the list. Pure.
import { vmNamePrefix } from '../../core/names.ts'
import type { LaunchChoice, LaunchPlan } from '../provider.ts'
import { type Json, listOf, objectOf, textOf } from './rest.ts'
import { launchLabels, OFFERS_ATTRIBUTE, PAID_UNTIL_ATTRIBUTE, renderOffers, vmNames } from './vm-labels.ts'

/** What one request may become. Every type is on offer in every zone. */
export interface LaunchGroup {
  readonly region: string
  readonly zones: readonly string[]
  /** Best first, one for each type. */
  readonly types: readonly LaunchChoice[]
  readonly choices: readonly LaunchChoice[]
}

const MOST_TYPES = 10 // of one request
const LEAST_RUN_SECONDS = 30
const MOST_RUN_SECONDS = 120 * 86_400 // https://cloud.google.com/compute/docs/instances/limit-vm-runtime

export function launchGroups(choices: readonly LaunchChoice[]): readonly LaunchGroup[] {
  const groups: LaunchGroup[] = []
  for (const ofType of byType(choices)) {
    const [best] = ofType
    if (best === undefined) continue
    const zones = ofType.map(({ offer }) => offer.zone)
    const last = groups.at(-1)
    const together = last !== undefined && last.types.length < MOST_TYPES && sameItems(last.zones, zones)
    if (together) {
      groups[groups.length - 1] = { ...last, types: [...last.types, best], choices: [...last.choices, ...ofType] }
    } else groups.push({ region: regionOfZone(best.offer.zone), zones, types: [best], choices: ofType })
  }
  return groups
}

/** The same as requests of their own. */
export function typesApart(group: LaunchGroup): readonly LaunchGroup[] {
  return group.types.map(type => ({
    ...group,
    types: [type],
    choices: group.choices.filter(({ offer }) => offer.instanceType === type.offer.instanceType),
  }))
}

/** `us-central1-a` is in `us-central1`. */
export function regionOfZone(zone: string): string {
  return zone.replace(/-[^-]+$/, '')
}

export interface BulkOptions {
  readonly jobId: string
  readonly plan: LaunchPlan
  readonly group: LaunchGroup
  /** Names the request among those of the launch. */
  readonly part: string
  readonly vmCount: number
  /** `properties` of the job's instance template. */
  readonly template: Json
  readonly zonesOfRegion: readonly string[]
  readonly nowSeconds: number
}

/**
 * Not `sourceInstanceTemplate`: its metadata would replace the launch's own as a whole, or the other way round, and its machine
 * type would stand against a list of several. So the request says all that the template says.
 */
export function bulkRequest(options: BulkOptions): Json {
  const { jobId, plan, group, part, vmCount, template } = options
  const [best] = group.types
  const single = group.types.length === 1 && best !== undefined
  const { machineType: _, disks, ...properties } = withoutOutputs(template)
  return {
    count: String(vmCount),
    // Without it, nothing is made where not all can be.
    minCount: '1',
    perInstanceProperties: Object.fromEntries(vmNames(jobId, plan.token, part, vmCount).map(name => [name, {}])),
    instanceProperties: {
      ...properties,
      ...(single && { machineType: best.offer.instanceType }),
      disks: single ? disksOf(best, disks) : listOf(disks),
      labels: { ...objectOf(template.labels), ...launchLabels(jobId, plan.token, group.types) },
      tags: { items: [...new Set([...listOf(objectOf(template.tags).items), vmNamePrefix(jobId)])] },
      metadata: { items: metadataOf(options) },
      scheduling: schedulingOf(options),
    },
    locationPolicy: { targetShape: 'ANY', locations: locationsOf(options) },
    ...(!single && { instanceFlexibilityPolicy: { instanceSelections: selectionsOf(group, disks) } }),
  }
}

/** One list a type; of a type that is there with two kinds of disk, the better. */
function byType(choices: readonly LaunchChoice[]): LaunchChoice[][] {
  const types = new Map<string, LaunchChoice[]>()
  const places = new Set<string>()
  for (const choice of choices) {
    const { instanceType, zone, priceUsdPerHour } = choice.offer
    const place = `${instanceType} ${zone}`
    if (places.has(place)) continue
    places.add(place)
    // The label of a type tells one price of it.
    const key = [instanceType, regionOfZone(zone), priceUsdPerHour, diskKey(choice), choice.tasksPerVm].join(' ')
    types.set(key, [...(types.get(key) ?? []), choice])
  }
  return [...types.values()]
}

function diskKey({ offer, bootDiskGib }: LaunchChoice): string {
  return `${offer.bootDiskType ?? ''} ${Math.ceil(bootDiskGib)}`
}

function sameItems(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every(item => other.includes(item))
}

function selectionsOf({ types }: LaunchGroup, disks: unknown): Json {
  return Object.fromEntries(
    types.map((choice, rank) => [
      `choice-${rank}`,
      { machineTypes: [choice.offer.instanceType], rank: String(rank), disks: disksOf(choice, disks) },
    ]),
  )
}

/** A zone of which nothing is said is allowed. */
function locationsOf({ group, zonesOfRegion }: BulkOptions): Json {
  const all = new Set([...group.zones, ...zonesOfRegion])
  return Object.fromEntries(
    [...all].map(zone => [`zones/${zone}`, { preference: group.zones.includes(zone) ? 'ALLOW' : 'DENY' }]),
  )
}

/** The template's disks, the boot disk as the choice has it. */
function disksOf({ offer, bootDiskGib }: LaunchChoice, disks: unknown): Json[] {
  return listOf(disks).map(value => {
    const disk = objectOf(value)
    if (disk.boot !== true) return disk
    const { diskType, provisionedIops, provisionedThroughput, ...rest } = objectOf(disk.initializeParams)
    const wanted = diskTypeOf(offer.bootDiskType) ?? textOf(diskType)
    const speed = wanted === textOf(diskType) ? { provisionedIops, provisionedThroughput } : {} // of another kind: its own
    const params = { ...rest, diskSizeGb: String(Math.ceil(bootDiskGib)), diskType: wanted, ...speed }
    return { ...disk, initializeParams: params }
  })
}

/** Job files have the Python system's word for it. */
function diskTypeOf(bootDiskType: string | undefined): string | undefined {
  return bootDiskType === 'hd-balanced' ? 'hyperdisk-balanced' : bootDiskType
}

function metadataOf({ plan, group, template }: BulkOptions): Json[] {
  const own = new Map([[OFFERS_ATTRIBUTE, renderOffers(group.choices)]])
  if (plan.paidUntilSeconds !== undefined) own.set(PAID_UNTIL_ATTRIBUTE, String(plan.paidUntilSeconds))
  const others = listOf(objectOf(template.metadata).items).map(objectOf)
  return [...others.filter(({ key }) => !own.has(String(key))), ...[...own].map(([key, value]) => ({ key, value }))]
}

/** The cloud itself ends the VM when the money for it has run out, whatever has become of what runs on it. */
function schedulingOf({ plan, template, nowSeconds }: BulkOptions): Json {
  const told = objectOf(template.scheduling)
  const templateSeconds = Number(objectOf(told.maxRunDuration).seconds ?? Number.POSITIVE_INFINITY)
  const paidSeconds = (plan.paidUntilSeconds ?? Number.POSITIVE_INFINITY) - nowSeconds
  const seconds = Math.max(LEAST_RUN_SECONDS, Math.floor(Math.min(templateSeconds, paidSeconds)))
  const limited = seconds <= MOST_RUN_SECONDS
  return {
    automaticRestart: false,
    provisioningModel: plan.spot ? 'SPOT' : 'STANDARD',
    ...(plan.spot && { onHostMaintenance: 'TERMINATE' }),
    ...((plan.spot || limited) && { instanceTerminationAction: 'DELETE' }),
    ...(limited && { maxRunDuration: { seconds: String(seconds) } }),
  }
}

/** What a template's answer has and a request may not. */
function withoutOutputs(template: Json): Json {
  return Object.fromEntries(Object.entries(template).filter(([key]) => key !== 'kind'))
}
