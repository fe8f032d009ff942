// The VMs and operations of the fake Compute Engine: what was asked for, what there was room for, and what became of it.
import { objectOf, parseBulk } from './gce-fake-bulk.ts'
import { GceRefusal, type Resource } from './gce-fake-query.ts'

export interface GceVmsOptions {
  readonly projectId: string
  readonly zones: readonly string[]
  /** Of an operation, from its start to its end. */
  readonly operationMs: number
}

interface Vm {
  readonly resource: Record<string, unknown>
  readonly zone: string
  readonly machineType: string
}

interface Operation {
  readonly resource: Record<string, unknown>
  readonly place: string
}

const API = 'https://www.googleapis.com/compute/v1'

export class GceVms {
  readonly zones: readonly string[]
  readonly #options: GceVmsOptions
  readonly #vms = new Map<string, Vm>()
  readonly #operations: Operation[] = []
  readonly #answered = new Map<string, Resource>()
  readonly #room = new Map<string, number>()
  /** Of a region, in VMs. */
  readonly #quotas = new Map<string, number>()
  #count = 0

  constructor(options: GceVmsOptions) {
    this.#options = options
    this.zones = options.zones
  }

  /** VMs of this type that fit into the zone at once; `'*'` = of any type. Not said = any number. */
  setRoom(zone: string, machineType: string, vmCount: number): void {
    this.#room.set(`${zone} ${machineType}`, vmCount)
  }

  setQuota(region: string, vmCount: number): void {
    this.#quotas.set(region, vmCount)
  }

  list(): Resource[] {
    return [...this.#vms.values()].map(({ resource }) => resource)
  }

  find(zone: string, name: string): Resource {
    const vm = this.#vms.get(name)
    if (vm !== undefined && vm.zone === zone) return vm.resource
    throw new GceRefusal(404, 'notFound', `The resource '${this.#path(zone, name)}' was not found`)
  }

  region(region: string): Resource {
    const zones = this.zones.filter(zone => zone.startsWith(`${region}-`))
    if (zones.length === 0) {
      throw new GceRefusal(
        404,
        'notFound',
        `The resource 'projects/${this.#options.projectId}/regions/${region}' was not found`,
      )
    }
    return { name: region, zones: zones.map(zone => `${API}/projects/${this.#options.projectId}/zones/${zone}`) }
  }

  /** A request with an id that was there before is answered as before, whatever else it says. */
  insert(region: string, body: Resource, requestId: string | null): Resource {
    const before = this.#answered.get(requestId ?? '')
    if (before !== undefined) return before
    const { names, leastCount, zones, selections, properties } = parseBulk(body, this.#zonesOf(region))
    const taken = names.find(name => this.#vms.has(name))
    if (taken !== undefined) throw new GceRefusal(409, 'alreadyExists', `The resource '${taken}' already exists`)
    const perZone = new Map(zones.map(zone => [zone, { createdVmCount: 0 }]))
    const quotaLeft = (this.#quotas.get(region) ?? Number.POSITIVE_INFINITY) - this.#inRegion(region)
    const placed: { name: string; zone: string; machineType: string; disks: readonly Resource[] }[] = []
    for (const { machineType, disks } of selections) {
      for (const zone of zones) {
        while (placed.length < Math.min(names.length, quotaLeft) && this.#fits(zone, machineType, placed)) {
          placed.push({ name: names[placed.length] ?? '', zone, machineType, disks })
        }
      }
    }
    const operation = this.#start(region, 'bulkInsert', '', requestId)
    if (requestId !== null) this.#answered.set(requestId, operation.resource)
    const enough = placed.length >= leastCount
    if (enough) for (const { zone } of placed) bump(perZone.get(zone), 'createdVmCount')
    operation.resource.instancesBulkInsertOperationMetadata = {
      perLocationStatus: Object.fromEntries([...perZone].map(([zone, status]) => [`zones/${zone}`, status])),
    }
    if (!enough)
      this.#blame(operation, {
        quota: quotaLeft < leastCount,
        region,
        zones,
        types: selections.map(s => s.machineType),
      })
    if (enough) for (const place of placed) this.#create(place, properties)
    this.#later(() => {
      finish(operation)
      if (enough) for (const { name } of placed) this.#turn(name, 'RUNNING')
    })
    return operation.resource
  }

  /** As after an hour or so. */
  forgetRequests(): void {
    this.#answered.clear()
  }

  remove(zone: string, name: string, requestId: string | null): Resource {
    this.find(zone, name)
    const operation = this.#start(zone, 'delete', this.#path(zone, name), requestId)
    this.#turn(name, 'STOPPING')
    this.#later(() => {
      this.#vms.delete(name)
      finish(operation)
    })
    return operation.resource
  }

  /** As the service does with a Spot VM whose action is DELETE: it stops, and then it is gone. `afterMs`: its 30 seconds. */
  preempt(name: string, { afterMs = 0 } = {}): void {
    this.end(name, 'compute.instances.preempted', { afterMs, message: 'Instance was preempted.' })
  }

  end(name: string, operationType: string, { afterMs = 0, message = '' } = {}): void {
    const vm = this.#vms.get(name)
    if (vm === undefined) throw new Error(`There is no VM ${name}.`)
    const operation = this.#start(vm.zone, operationType, this.#path(vm.zone, name), null)
    operation.resource.user = 'system'
    operation.resource.statusMessage = message
    finish(operation)
    this.#turn(name, 'STOPPING')
    const gone = () => void this.#vms.delete(name)
    if (afterMs === 0) gone()
    else setTimeout(gone, afterMs).unref()
  }

  /** By `shutdown` in the VM: its disk stays, and so does it. */
  stop(name: string): void {
    this.#turn(name, 'TERMINATED')
  }

  /** Of a VM that somebody else made. */
  add(zone: string, resource: Resource): void {
    this.#put(zone, resource, String(resource.machineType ?? 'n2-standard-2'))
  }

  operation(place: string, name: string): Resource {
    const operation = this.#operations.find(({ resource }) => resource.name === name)
    if (operation !== undefined && operation.place === place) return operation.resource
    throw new GceRefusal(404, 'notFound', `The resource '${place}/operations/${name}' was not found`)
  }

  operationsOf(zone: string): Resource[] {
    this.#known(zone)
    return this.#operations.filter(({ place }) => place === zone).map(({ resource }) => resource)
  }

  /** An operation that took no time. */
  done(place: string, operationType: string, target: string): Resource {
    const operation = this.#start(place, operationType, target, null)
    finish(operation)
    return operation.resource
  }

  #fits(zone: string, machineType: string, placed: readonly { zone: string; machineType: string }[]): boolean {
    const here = [...this.#vms.values(), ...placed].filter(vm => vm.zone === zone)
    const room = (type: string) => this.#room.get(`${zone} ${type}`) ?? Number.POSITIVE_INFINITY
    return here.length < room('*') && here.filter(vm => vm.machineType === machineType).length < room(machineType)
  }

  #blame(
    { resource }: Operation,
    {
      quota,
      region,
      zones,
      types,
    }: { quota: boolean; region: string; zones: readonly string[]; types: readonly string[] },
  ): void {
    const errors = quota
      ? [{ code: 'QUOTA_EXCEEDED', message: `Quota 'PREEMPTIBLE_CPUS' exceeded.  Limit: 8.0 in region ${region}.` }]
      : zones.flatMap(zone =>
          types.map(type => ({
            code: 'ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS',
            message: `The zone 'projects/${this.#options.projectId}/zones/${zone}' does not have enough resources available to fulfill the request.  '(resource type:compute)'. A ${type} VM is not available.`,
          })),
        )
    resource.error = { errors }
    resource.httpErrorStatusCode = quota ? 403 : 503
    resource.httpErrorMessage = quota ? 'FORBIDDEN' : 'SERVICE UNAVAILABLE'
  }

  #create(
    place: { name: string; zone: string; machineType: string; disks: readonly Resource[] },
    properties: Resource,
  ): void {
    const { name, zone, machineType, disks } = place
    const scheduling = objectOf(properties.scheduling)
    const spot = scheduling.provisioningModel === 'SPOT'
    const resource = {
      ...properties,
      name,
      disks,
      status: 'PROVISIONING',
      scheduling: { ...scheduling, ...(spot && { preemptible: true }) },
      networkInterfaces: [
        { networkIP: `10.128.0.${(this.#count % 250) + 2}`, accessConfigs: [{ natIP: '192.0.2.7' }] },
      ],
    }
    this.#put(zone, resource, machineType)
  }

  #put(zone: string, resource: Resource, machineType: string): void {
    this.#known(zone)
    const link = `${API}/projects/${this.#options.projectId}/zones/${zone}`
    this.#vms.set(String(resource.name), {
      zone,
      machineType,
      resource: {
        kind: 'compute#instance',
        id: String(10 ** 15 + ++this.#count),
        status: 'RUNNING',
        ...resource,
        machineType: `${link}/machineTypes/${machineType}`,
        zone: link,
        creationTimestamp: new Date().toISOString().replace('Z', '+00:00'),
        selfLink: `${link}/instances/${resource.name}`,
      },
    })
  }

  #start(place: string, operationType: string, target: string, requestId: string | null): Operation {
    const now = new Date().toISOString()
    const operation = {
      place,
      resource: {
        kind: 'compute#operation',
        name: `operation-${Date.now()}-${++this.#count}`,
        operationType,
        targetLink: `${API}/${target}`,
        status: 'RUNNING',
        user: 'manager@example.com',
        insertTime: now,
        startTime: now,
        ...(requestId !== null && { clientOperationId: requestId }),
      },
    }
    this.#operations.push(operation)
    return operation
  }

  #turn(name: string, status: string): void {
    const vm = this.#vms.get(name)
    if (vm !== undefined && !(status === 'RUNNING' && vm.resource.status !== 'PROVISIONING'))
      vm.resource.status = status
  }

  #later(work: () => void): void {
    setTimeout(work, this.#options.operationMs).unref()
  }

  #zonesOf(region: string): readonly string[] {
    this.region(region)
    return this.zones.filter(zone => zone.startsWith(`${region}-`))
  }

  #inRegion(region: string): number {
    return [...this.#vms.values()].filter(({ zone }) => zone.startsWith(`${region}-`)).length
  }

  #known(zone: string): void {
    if (!this.zones.includes(zone)) throw new GceRefusal(404, 'notFound', `Unknown zone '${zone}'.`)
  }

  #path(zone: string, name: string): string {
    return `projects/${this.#options.projectId}/zones/${zone}/instances/${name}`
  }
}

function finish({ resource }: Operation): void {
  resource.status = 'DONE'
  resource.progress = 100
  resource.endTime = new Date().toISOString()
}

function bump<Key extends string>(counts: Record<Key, number> | undefined, key: Key): void {
  if (counts !== undefined) counts[key] += 1
}
