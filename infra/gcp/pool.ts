// The pool seam on Compute Engine: Spot VMs made in bulk after the job's instance template, told apart by names and labels.
import { systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { VmId } from '../../core/ids.ts'
import { vmNamePrefix } from '../../core/names.ts'
import { launchFailure } from '../launch-failure.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { JobRef, LaunchFailure, LaunchPlan, LaunchReport, ListOptions, Pool, Vm } from '../provider.ts'
import { GcpConnection } from './connection.ts'
import { GcpError, gcpFailure, gcpStatus } from './failure.ts'
import { launchFailures, refusedLaunch } from './pool-answer.ts'
import { VmEnds } from './pool-ends.ts'
import { GcpPlaces } from './pool-places.ts'
import { bulkRequest, type LaunchGroup, launchGroups, regionOfZone, typesApart } from './pool-request.ts'
import { INSTANCE_FIELDS, lastPart, vmOf } from './pool-vm.ts'
import { GcpRest, type Json, listOf, objectOf } from './rest.ts'
import { launchRequestId, TOKEN_LABEL, tokenLabel } from './vm-labels.ts'

const PAGE_SIZE = 500 // the most there is
const FIRST_LOOK_MS = 250 // after an operation has begun; then in growing steps, as most take 10 to 60 s
const MOST_LOOK_MS = 3000
const OPERATION_MS = 150_000 // longer, and the next listing shows what became of it
const LAUNCH_MS = 240_000 // in all; no further request is begun after that
const DELETES_AT_ONCE = 20

export interface PoolOptions {
  readonly pageSize?: number
  readonly lookMs?: number
  readonly operationMs?: number
  /** Before a request is repeated. */
  readonly pauseMs?: number
}

/** Of a launch: one request. */
interface Part {
  readonly group: LaunchGroup
  readonly part: string
  readonly vmCount: number
  readonly template: Json
}

interface PartAnswer {
  readonly created: number
  readonly failed: readonly LaunchFailure[]
  /** The request cannot be carried out as it is. */
  readonly refused?: boolean
}

export class GcpPool implements Pool {
  readonly #connection: GcpConnection
  readonly #rest: GcpRest
  readonly #jobId: string
  readonly #region: string | undefined
  readonly #ends: VmEnds
  readonly #pageSize: number
  readonly #lookMs: number
  readonly #operationMs: number
  readonly #closed = new AbortController()
  readonly #places: GcpPlaces

  constructor(settings: ProviderSettings, { jobId, region }: JobRef, options: PoolOptions = {}) {
    const { pageSize = PAGE_SIZE, lookMs = FIRST_LOOK_MS, operationMs = OPERATION_MS, pauseMs } = options
    this.#connection = new GcpConnection(settings)
    this.#rest = new GcpRest(this.#connection, 'COMPUTE', pauseMs === undefined ? {} : { pauseMs })
    this.#jobId = jobId
    this.#region = region ?? settings.region ?? (settings.zone && regionOfZone(settings.zone))
    this.#places = new GcpPlaces(this.#connection, this.#rest, jobId)
    this.#ends = new VmEnds(this.#rest, jobId, pageSize)
    this.#pageSize = pageSize
    this.#lookMs = lookMs
    this.#operationMs = operationMs
  }

  /**
   * Look first, ask second. Names and request ids follow from the token: asked twice, at the same time or after a crash, Compute
   * Engine answers with the operation that there is, and could not make the same VM again if it forgot. Killed anywhere, the
   * label finds what was made.
   */
  async launch(plan: LaunchPlan): Promise<LaunchReport> {
    if (plan.vmCount <= 0 || plan.choices.length === 0) return { launched: [], failures: [] }
    return this.#try(`Starting VMs of job "${this.#jobId}"`, async () => {
      const found = await this.#launchedBefore(plan)
      if (found.length > 0) return { launched: found, failures: [] }
      const template = await this.#places.template()
      const failures: LaunchFailure[] = []
      const endMs = systemClock.now() + LAUNCH_MS
      const parts = launchGroups(plan.choices).map((group, index) => ({ group, part: String(index) }))
      let missing = plan.vmCount
      for (let next = parts.shift(); next !== undefined && missing > 0; next = parts.shift()) {
        if (systemClock.now() > endMs || this.#closed.signal.aborted) break
        const { group, part } = next
        const { created, failed, refused } = await this.#ask(plan, { group, part, vmCount: missing, template })
        const apart = refused ? typesApart(group) : []
        missing -= created
        if (apart.length <= 1) failures.push(...failed)
        else parts.unshift(...apart.map((single, index) => ({ group: single, part: `${part}.${index}` })))
      }
      return { launched: await this.#launchedBefore(plan), failures }
    })
  }

  async list({ everyJob = false }: ListOptions = {}): Promise<readonly Vm[]> {
    return this.#try(`Listing the VMs of job "${this.#jobId}"`, async () => {
      // By name, because the Python system's VMs have no labels. A job's name may begin with another's: vmOf knows the whole.
      const prefix = everyJob ? vmNamePrefix('') : `${vmNamePrefix(this.#jobId)}-`
      const listed = (await this.#read(`name eq "${prefix}.*"`)).filter(vm => everyJob || vm.jobId === this.#jobId)
      this.#ends.remember(listed)
      await this.#ends.read(await this.#places.path(), [...(await this.#lookZones()), ...this.#ends.zones()])
      return this.#ends.withEnds(listed)
    })
  }

  async terminate(ids: readonly VmId[]): Promise<void> {
    if (ids.length === 0) return
    await this.#try(`Ending VMs of job "${this.#jobId}"`, async () => {
      const failures: unknown[] = []
      const known = (id: string) => this.#ends.zoneOf(id) !== undefined
      await this.#deleteAll(ids.filter(known), failures)
      const others = ids.filter(id => !known(id))
      if (others.length > 0) await this.list().catch(error => failures.push(error))
      await this.#deleteAll(others.filter(known), failures)
      if (failures.length > 0) throw failures[0]
    })
  }

  close(): void {
    this.#closed.abort()
  }

  /** One that fails does not keep the others alive. */
  async #deleteAll(ids: readonly VmId[], failures: unknown[]): Promise<void> {
    const left = new Set(ids)
    const next = async (): Promise<void> => {
      for (const id of left) {
        left.delete(id)
        await this.#delete(id).catch(error => failures.push(error))
      }
    }
    await Promise.all(Array.from({ length: DELETES_AT_ONCE }, next))
  }

  async #delete(id: VmId): Promise<void> {
    const zone = this.#ends.zoneOf(id)
    try {
      await this.#rest.request('DELETE', `${await this.#places.path()}/zones/${zone}/instances/${id}`)
    } catch (error) {
      if (!(error instanceof GcpError) || error.status !== 404) throw error
    }
  }

  async #ask(plan: LaunchPlan, { group, part, vmCount, template }: Part): Promise<PartAnswer> {
    const { region } = group
    const zonesOfRegion = await this.#places.zonesOf(region)
    const strange = group.zones.filter(zone => !zonesOfRegion.includes(zone))
    if (strange.length > 0) return refusedPart(group, `The region ${region} has no zone ${strange.join(', ')}.`)
    const nowSeconds = systemClock.now() / 1000
    const body = bulkRequest({ jobId: this.#jobId, plan, group, part, vmCount, template, zonesOfRegion, nowSeconds })
    const query = { requestId: launchRequestId(this.#jobId, plan.token, part) }
    const path = `${await this.#places.path()}/regions/${region}`
    try {
      const request = { query, body, repeatable: true }
      const started = await this.#rest.request('POST', `${path}/instances/bulkInsert`, request)
      const operation = await this.#finished(`${path}/operations/${lastPart(started.name)}`, started)
      if (operation.status !== 'DONE') return { created: vmCount, failed: [] } // under way: nothing further is asked for
      const created = createdCount(operation, operation.error === undefined ? vmCount : 0)
      return { created, failed: created < vmCount ? launchFailures(group, operation, vmCount - created) : [] }
    } catch (error) {
      const status = gcpStatus(error)
      if (status === 409) return this.#madeBefore(plan, group, vmCount)
      if (status === 400) return refusedPart(group, messageOf(error))
      const failed = refusedLaunch(group, error)
      if (failed === undefined) throw error
      return { created: 0, failed }
    }
  }

  /** The names are taken: the same launch was asked for before, and its request id is forgotten. */
  async #madeBefore(plan: LaunchPlan, group: LaunchGroup, vmCount: number): Promise<PartAnswer> {
    const created = (await this.#launchedBefore(plan)).length
    const message = 'The same launch was asked for before, and its VMs are gone.'
    const failed = created > 0 ? [] : group.choices.map(choice => launchFailure(choice, 'other', message))
    return { created: vmCount, failed }
  }

  /** As it is when it is done, or when waiting has taken too long. Others of this process go on meanwhile. */
  async #finished(path: string, started: Json): Promise<Json> {
    const endMs = systemClock.now() + this.#operationMs
    let operation = started
    let lookMs = this.#lookMs
    while (operation.status !== 'DONE' && systemClock.now() < endMs && !this.#closed.signal.aborted) {
      await systemClock.sleep(lookMs, this.#closed.signal)
      lookMs = Math.min(MOST_LOOK_MS, lookMs * 1.5)
      operation = await this.#rest.request('GET', path)
    }
    return operation
  }

  async #launchedBefore({ token }: LaunchPlan): Promise<readonly Vm[]> {
    const vms = await this.#read(`labels.${TOKEN_LABEL} = "${tokenLabel(this.#jobId, token)}"`)
    this.#ends.remember(vms)
    return vms.filter(vm => vm.jobId === this.#jobId)
  }

  /** All pages of all zones, or none: what is left out would be started anew. */
  async #read(filter: string): Promise<Vm[]> {
    const fields = `kind,nextPageToken,unreachables,warning,items/*/warning,items/*/instances(${INSTANCE_FIELDS})`
    const query = { filter, fields, maxResults: this.#pageSize, returnPartialSuccess: false }
    const vms: Vm[] = []
    for await (const page of this.#rest.pages(`${await this.#places.path()}/aggregated/instances`, { query })) {
      refusePart(page)
      for (const scope of Object.values(objectOf(page.items)).map(objectOf)) {
        vms.push(...listOf(scope.instances).flatMap(instance => vmOf(objectOf(instance)) ?? []))
      }
    }
    return vms
  }

  async #lookZones(): Promise<readonly string[]> {
    return this.#region === undefined ? [] : this.#places.zonesOf(this.#region)
  }

  async #try<Value>(doing: string, work: () => Promise<Value>): Promise<Value> {
    try {
      return await work()
    } catch (error) {
      const projectId = await this.#connection.projectId().catch(() => undefined)
      throw gcpFailure(error, { doing, projectId })
    }
  }
}

/** Such as a disk that a type does not take: one type must not keep the others away. */
function refusedPart(group: LaunchGroup, message: string): PartAnswer {
  return { created: 0, failed: group.choices.map(choice => launchFailure(choice, 'other', message)), refused: true }
}

function refusePart(page: Json): void {
  if (page.kind !== 'compute#instanceAggregatedList') throw new Error('the answer is no list of VMs')
  const scopes = Object.values(objectOf(page.items)).map(objectOf)
  const warnings = [page.warning, ...scopes.map(({ warning }) => warning)].map(objectOf)
  const warning = warnings.find(({ code }) => code !== undefined && code !== 'NO_RESULTS_ON_PAGE')
  const unreachable = listOf(page.unreachables)
  if (warning === undefined && unreachable.length === 0) return
  throw new Error(`only a part of the VMs could be listed (${warning?.message ?? unreachable.join(', ')})`)
}

/** By zone; what was made and taken back does not count. */
function createdCount(operation: Json, unsaid: number): number {
  const places = objectOf(objectOf(operation.instancesBulkInsertOperationMetadata).perLocationStatus)
  const counts = Object.values(places)
    .map(objectOf)
    .map(({ createdVmCount = 0, deletedVmCount = 0 }) => Number(createdVmCount) - Number(deletedVmCount))
  return counts.length === 0 ? unsaid : counts.reduce((sum, count) => sum + count, 0)
}
