// VMs that are gone: Compute Engine forgets a deleted VM at once, and remembers for weeks what was done to it. What they were is
// known only from when they were last listed.
import { systemClock } from '../../core/clock.ts'
import { vmId } from '../../core/ids.ts'
import type { Vm } from '../provider.ts'
import { gcpFailureKind, gcpStatus } from './failure.ts'
import { lastPart } from './pool-vm.ts'
import { type GcpRest, type Json, listOf, objectOf, textOf } from './rest.ts'
import { jobOfVm, powerOffRequestId } from './vm-labels.ts'

const LISTED_AFTER_END_MS = 3_600_000
const LOOK_BACK_MS = 600_000 // an operation seen before may have ended since, and clocks differ
const OPERATION_FIELDS =
  'nextPageToken,items(operationType,targetLink,status,insertTime,endTime,clientOperationId,error(errors(code)))'

interface End {
  readonly zone: string
  readonly begunMs: number
  readonly endedAt: Date
  /** undefined where only its absence shows it. */
  readonly reason: string | undefined
}

/** Of one job. */
export class VmEnds {
  readonly #rest: GcpRest
  readonly #jobId: string
  readonly #pageSize: number
  /** As last listed. */
  readonly #seen = new Map<string, Vm>()
  readonly #ends = new Map<string, End>()
  readonly #lookedAtMs = new Map<string, number>()

  constructor(rest: GcpRest, jobId: string, pageSize: number) {
    this.#rest = rest
    this.#jobId = jobId
    this.#pageSize = pageSize
  }

  remember(vms: readonly Vm[]): void {
    for (const vm of vms) if (vm.jobId === this.#jobId) this.#seen.set(vm.id, vm)
  }

  /** Where VMs were that are not listed any more. */
  zones(): readonly string[] {
    return [...this.#seen.values()].map(({ zone }) => zone)
  }

  zoneOf(id: string): string | undefined {
    return this.#seen.get(id)?.zone
  }

  /** Call it after the listing: a VM that goes in between is then in both, and not in neither. */
  async read(path: string, zones: readonly string[]): Promise<void> {
    await Promise.all([...new Set(zones)].map(zone => this.#readZone(path, zone)))
    this.#forget(systemClock.now() - LISTED_AFTER_END_MS)
  }

  /** `listed`, those that are on their end with its reason, and those that ended within the last hour. */
  withEnds(listed: readonly Vm[]): readonly Vm[] {
    const there = new Set<string>(listed.map(vm => vm.id))
    for (const vm of this.#seen.values()) if (!there.has(vm.id)) this.#end(vm)
    const ending = listed.map(vm => {
      const reason = vm.state === 'stopping' ? this.#ends.get(vm.id)?.reason : undefined
      return reason === undefined ? vm : { ...vm, endReason: reason }
    })
    const gone = [...this.#ends].flatMap(([name, end]) =>
      there.has(name) ? [] : goneVm(name, end, this.#seen.get(name)),
    )
    return [...ending, ...gone]
  }

  /** Nobody says how, as where operations may not be listed: it ended when that was first noticed. */
  #end({ id, zone }: Vm): void {
    const now = systemClock.now()
    if (!this.#ends.has(id)) this.#ends.set(id, { zone, begunMs: now, endedAt: new Date(now), reason: undefined })
  }

  /** Newest first, so that reading can stop: Compute Engine takes either an order or a filter. */
  async #readZone(path: string, zone: string): Promise<void> {
    const now = systemClock.now()
    const sinceMs = Math.max(now - LISTED_AFTER_END_MS, (this.#lookedAtMs.get(zone) ?? 0) - LOOK_BACK_MS)
    const query = { orderBy: 'creationTimestamp desc', maxResults: this.#pageSize, fields: OPERATION_FIELDS }
    try {
      for await (const { items } of this.#rest.pages(`${path}/zones/${zone}/operations`, { query })) {
        const operations = listOf(items).map(objectOf)
        for (const operation of operations) this.#learn(operation, zone)
        if (operations.some(({ insertTime }) => Date.parse(textOf(insertTime) ?? '') < sinceMs)) break
      }
      this.#lookedAtMs.set(zone, now)
    } catch (error) {
      // Without the right to look, or where the zone is no more, the ends are known by what is missing.
      if (gcpStatus(error) !== 404 && gcpFailureKind(error) !== 'denied') throw error
    }
  }

  #learn(operation: Json, zone: string): void {
    const name = lastPart(operation.targetLink)
    if (jobOfVm(name) !== this.#jobId || !textOf(operation.targetLink)?.includes('/instances/')) return
    const reason = endReasonOf(operation, name)
    if (reason === undefined || operation.error !== undefined) return
    const begunMs = Date.parse(textOf(operation.insertTime) ?? '') || systemClock.now()
    const before = this.#ends.get(name)
    // What came first counts: deleted after it was preempted, it was preempted all the same.
    if (before?.reason !== undefined && before.reason !== reason && before.begunMs <= begunMs) return
    const endedAt = new Date(Date.parse(textOf(operation.endTime) ?? '') || begunMs)
    this.#ends.set(name, { zone, begunMs, endedAt, reason })
  }

  #forget(beforeMs: number): void {
    for (const [name, { endedAt }] of this.#ends) {
      if (endedAt.getTime() >= beforeMs) continue
      this.#ends.delete(name)
      this.#seen.delete(name)
    }
  }
}

/** undefined for what does not end a VM. What the system itself does is named `compute.instances.…`. */
function endReasonOf({ operationType, clientOperationId }: Json, name: string): string | undefined {
  switch (operationType) {
    case 'compute.instances.preempted':
      return 'preempted'
    case 'compute.instances.hostError':
      return 'host failed'
    case 'compute.instances.guestTerminate':
      return 'powered off'
    case 'compute.instances.deferredDelete':
    case 'compute.instances.deferredStop':
      return 'time limit'
    case 'delete':
      return clientOperationId === powerOffRequestId(name) ? 'powered off' : 'terminated'
    default:
      return undefined
  }
}

/** One that was never listed alive is a name and an end: `unknown` is what the job DB may already know better. */
function goneVm(name: string, { zone, endedAt, reason }: End, seen: Vm | undefined): Vm {
  const known: Vm = seen ?? {
    id: vmId(name),
    jobId: jobOfVm(name) ?? '',
    state: 'terminated',
    instanceType: 'unknown',
    zone,
    spot: reason === 'preempted',
    vcpuCount: 0,
    priceUsdPerHour: undefined,
    launchedAt: endedAt,
  }
  const { endReason: _, ...vm } = known
  return { ...vm, state: 'terminated', endedAt, ...(reason !== undefined && { endReason: reason }) }
}
