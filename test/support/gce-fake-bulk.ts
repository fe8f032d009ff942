// What the fake Compute Engine accepts as a request for many VMs, and refuses as the service documents it:
// https://cloud.google.com/compute/docs/reference/rest/v1/regionInstances/bulkInsert
import { GceRefusal, invalid, type Resource } from './gce-fake-query.ts'

export interface BulkRequest {
  readonly names: readonly string[]
  readonly leastCount: number
  /** Allowed ones, in the order in which they are tried. */
  readonly zones: readonly string[]
  /** Best first. */
  readonly selections: readonly { readonly machineType: string; readonly disks: readonly Resource[] }[]
  readonly properties: Resource
}

const BODY_FIELDS = [
  ...['count', 'minCount', 'namePattern', 'perInstanceProperties', 'sourceInstanceTemplate', 'instanceProperties'],
  ...['locationPolicy', 'instanceFlexibilityPolicy'],
]
const PROPERTY_FIELDS = [
  ...[
    'description',
    'tags',
    'machineType',
    'canIpForward',
    'networkInterfaces',
    'disks',
    'metadata',
    'serviceAccounts',
  ],
  ...['scheduling', 'labels', 'guestAccelerators', 'minCpuPlatform', 'reservationAffinity', 'shieldedInstanceConfig'],
  ...['resourcePolicies', 'confidentialInstanceConfig', 'privateIpv6GoogleAccess', 'advancedMachineFeatures'],
  ...['networkPerformanceConfig', 'keyRevocationActionType', 'resourceManagerTags'],
]
const DISK_TYPES = ['pd-standard', 'pd-balanced', 'pd-ssd', 'pd-extreme', 'hyperdisk-balanced', 'local-ssd']
const MOST_SCRIPT_BYTES = 262_144
const MOST_METADATA_BYTES = 524_288

export function parseBulk(body: Resource, zonesOfRegion: readonly string[]): BulkRequest {
  known(body, BODY_FIELDS, '')
  const count = integer(body.count, 'count')
  const leastCount = body.minCount === undefined ? count : integer(body.minCount, 'minCount')
  if (count < 1 || count > 5000 || leastCount > count) throw invalid("Invalid value for field 'resource.count'.")
  const names = Object.keys(objectOf(body.perInstanceProperties))
  if (names.length !== count)
    throw invalid("Invalid value for field 'resource.perInstanceProperties': not count names.")
  for (const name of names) {
    if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) throw invalid(`Invalid value for field 'name': '${name}'.`)
  }
  const properties = objectOf(body.instanceProperties)
  checkProperties(properties)
  return {
    names,
    leastCount,
    zones: zonesOf(body, zonesOfRegion),
    selections: selectionsOf(body, properties),
    properties,
  }
}

/** A zone that is not named is allowed: that is a trap of the service. */
function zonesOf({ locationPolicy }: Resource, zonesOfRegion: readonly string[]): string[] {
  const policy = objectOf(locationPolicy)
  known(policy, ['locations', 'targetShape', 'zones'], 'locationPolicy.')
  if (!['ANY', 'ANY_SINGLE_ZONE', 'BALANCED', undefined].includes(textOf(policy.targetShape))) {
    throw invalid("Invalid value for field 'resource.locationPolicy.targetShape'.")
  }
  const denied = new Set<string>()
  for (const [name, location] of Object.entries(objectOf(policy.locations))) {
    const zone = name.replace(/^zones\//, '')
    if (!name.startsWith('zones/') || !zonesOfRegion.includes(zone)) throw invalid(`Unknown zone '${name}'.`)
    const preference = textOf(objectOf(location).preference)
    if (preference !== 'ALLOW' && preference !== 'DENY') throw invalid("Invalid value for field 'preference'.")
    if (preference === 'DENY') denied.add(zone)
  }
  const zones = zonesOfRegion.filter(zone => !denied.has(zone))
  if (zones.length === 0) throw invalid('No zone is allowed.')
  return zones
}

function selectionsOf(body: Resource, properties: Resource): BulkRequest['selections'] {
  const own = textOf(properties.machineType)
  const disks = checkDisks(properties.disks)
  if (body.instanceFlexibilityPolicy === undefined) {
    if (own === undefined) throw invalid("Invalid value for field 'resource.instanceProperties.machineType': ''.")
    return [{ machineType: typeName(own), disks }]
  }
  if (own !== undefined) throw invalid('Machine type must not be set with an instance flexibility policy.')
  const ranked = Object.values(objectOf(objectOf(body.instanceFlexibilityPolicy).instanceSelections)).map(selection => {
    const { machineTypes, rank = 0, disks: others, ...rest } = objectOf(selection)
    known(rest, [], 'instanceSelections.')
    if (!Array.isArray(machineTypes) || machineTypes.length === 0) throw invalid('A selection names no machine type.')
    return {
      rank: integer(rank, 'rank'),
      types: machineTypes.map(typeName),
      disks: others === undefined ? disks : checkDisks(others),
    }
  })
  return ranked
    .toSorted((a, b) => a.rank - b.rank)
    .flatMap(selection => selection.types.map(machineType => ({ machineType, disks: selection.disks })))
}

function typeName(value: unknown): string {
  const name = textOf(value)
  if (name === undefined || name.includes('/'))
    throw invalid(`Invalid machine type '${name}': only its name is accepted.`)
  return name
}

function checkDisks(value: unknown): Resource[] {
  const disks = listOf(value).map(objectOf)
  if (disks.filter(({ boot }) => boot === true).length !== 1) throw invalid('Exactly one disk must be the boot disk.')
  for (const { initializeParams, autoDelete } of disks) {
    const { diskType = 'pd-standard', diskSizeGb, sourceImage } = objectOf(initializeParams)
    if (!DISK_TYPES.includes(String(diskType))) throw invalid(`Invalid value for field 'diskType': '${diskType}'.`)
    if (diskSizeGb !== undefined) integer(diskSizeGb, 'diskSizeGb')
    if (textOf(sourceImage) === undefined || autoDelete !== true)
      throw invalid('A disk without image, or one that stays.')
  }
  return disks
}

function checkProperties(properties: Resource): void {
  known(properties, PROPERTY_FIELDS, 'instanceProperties.')
  for (const [key, value] of Object.entries(objectOf(properties.labels))) {
    if (!/^[a-z][a-z0-9_-]{0,62}$/.test(key) || !/^[a-z0-9_-]{0,63}$/.test(String(value))) {
      throw invalid(`Invalid value for field 'resource.labels': '${key}' = '${value}'.`)
    }
  }
  if (Object.keys(objectOf(properties.labels)).length > 64) throw invalid('More than 64 labels.')
  checkMetadata(listOf(objectOf(properties.metadata).items).map(objectOf))
  for (const tag of listOf(objectOf(properties.tags).items)) {
    if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(String(tag)))
      throw invalid(`Invalid value for field 'tags': '${tag}'.`)
  }
  if (listOf(properties.networkInterfaces).length === 0) throw invalid('At least one network interface is required.')
  checkScheduling(objectOf(properties.scheduling))
}

function checkMetadata(items: readonly Resource[]): void {
  const keys = items.map(({ key }) => String(key))
  if (new Set(keys).size < keys.length) throw invalid("Invalid value for field 'metadata': a key is there twice.")
  for (const key of keys) if (!/^[\w-]{1,127}$/.test(key)) throw invalid(`Invalid metadata key '${key}'.`)
  const sizes = items.map(({ value }) => Buffer.byteLength(String(value)))
  if (sizes.some(bytes => bytes > MOST_SCRIPT_BYTES)) throw invalid('Value for a metadata key is too large.')
  if (sizes.reduce((sum, bytes) => sum + bytes, 0) > MOST_METADATA_BYTES) throw invalid('Metadata is too large.')
}

function checkScheduling(scheduling: Resource): void {
  const {
    provisioningModel = 'STANDARD',
    instanceTerminationAction: action,
    maxRunDuration,
    automaticRestart,
  } = scheduling
  if (provisioningModel !== 'SPOT' && provisioningModel !== 'STANDARD') throw invalid('Unknown provisioning model.')
  const spot = provisioningModel === 'SPOT'
  if (spot && automaticRestart !== false) throw invalid('Automatic restart must be off for Spot VMs.')
  if (spot && ![undefined, 'TERMINATE'].includes(textOf(scheduling.onHostMaintenance))) {
    throw invalid('Scheduling must have onHostMaintenance TERMINATE for Spot VMs.')
  }
  if (!spot && scheduling.preemptible === true) throw invalid('A preemptible VM of the standard model.')
  if (maxRunDuration !== undefined) {
    const seconds = integer(objectOf(maxRunDuration).seconds, 'maxRunDuration.seconds')
    if (seconds < 30 || seconds > 10_368_000) throw invalid('maxRunDuration must be 30 seconds to 120 days.')
    if (action === undefined) throw invalid('maxRunDuration needs instanceTerminationAction.')
  } else if (!spot && action !== undefined) throw invalid('instanceTerminationAction needs Spot or a time limit.')
  if (![undefined, 'DELETE', 'STOP'].includes(textOf(action))) throw invalid('Unknown termination action.')
}

function known(value: Resource, fields: readonly string[], where: string): void {
  const wrong = Object.keys(value).find(key => !fields.includes(key))
  if (wrong !== undefined)
    throw new GceRefusal(400, 'badRequest', `Invalid JSON payload: Unknown name "${where}${wrong}".`)
}

/** int64 travels as text. */
function integer(value: unknown, field: string): number {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number)) throw invalid(`Invalid value for field '${field}'.`)
  return number
}

export function objectOf(value: unknown): Resource {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
