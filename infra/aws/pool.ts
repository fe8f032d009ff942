// The pool seam on EC2: VMs of the job's launch template, started by one fleet request a launch, told apart by their tags.
import {
  CreateFleetCommand,
  EC2Client,
  type Instance as Ec2Instance,
  type Filter,
  paginateDescribeInstances,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { systemClock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { VmId } from '../../core/ids.ts'
import { launchFailure } from '../launch-failure.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { JobRef, LaunchPlan, LaunchReport, ListOptions, Pool, Vm } from '../provider.ts'
import { awsClientConfig } from './connection.ts'
import { awsErrorCode, awsFailure } from './failure.ts'
import { launchReportOf, reasonOf } from './fleet-answer.ts'
import { type FleetPlaces, readFleetPlaces } from './fleet-places.ts'
import { comparableChoices, fleetRequest } from './fleet-request.ts'
import { SpotEnds } from './pool-spot-ends.ts'
import { vmOf } from './pool-vm.ts'
import { JOB_TAG, TOKEN_TAG } from './vm-tags.ts'

const LISTED_AFTER_END_MS = 3_600_000
const PAGE_SIZE = 1000 // the most of one answer
const TERMINATE_AT_ONCE = 500 // of 1,000 allowed; unknown ids make a batch fail as a whole
const TERMINATE_TRIES = 3
const FIRST_PAUSE_MS = 1000

export class AwsPool implements Pool {
  readonly #client: EC2Client
  readonly #jobId: string
  readonly #region: string
  readonly #spotEnds: SpotEnds
  readonly #pageSize: number
  readonly #pauseMs: number

  constructor(
    settings: ProviderSettings,
    { jobId, region }: JobRef,
    { pageSize = PAGE_SIZE, pauseMs = FIRST_PAUSE_MS } = {},
  ) {
    const config = awsClientConfig(settings, 'EC2', region === undefined ? {} : { region })
    this.#client = new EC2Client(config)
    this.#region = config.region
    this.#jobId = jobId
    this.#spotEnds = new SpotEnds(this.#client)
    this.#pageSize = pageSize
    this.#pauseMs = pauseMs
  }

  /**
   * Look first, ask second. The request carries the token twice: as EC2's own, which makes a repetition an echo, and as a tag
   * of its VMs, by which a repetition after a crash finds them, and a listing as well. Killed anywhere, nothing is lost.
   */
  async launch(plan: LaunchPlan): Promise<LaunchReport> {
    if (plan.vmCount <= 0 || plan.choices.length === 0) return { launched: [], failures: [] }
    return this.#try(`Starting VMs of job "${this.#jobId}"`, async () => {
      const found = await this.#launchedBefore(plan)
      if (found.length > 0) return { launched: found, failures: [] }
      const places = await readFleetPlaces(this.#client, this.#jobId)
      const reachable = plan.choices.filter(({ offer }) => places.subnetsByZone.has(offer.zone))
      const unreachable = plan.choices.filter(choice => !reachable.includes(choice))
      const failures = unreachable.map(choice =>
        launchFailure(choice, 'other', `The job has no subnet in ${choice.offer.zone}. Add one to its stack.`),
      )
      if (reachable.length === 0) return { launched: [], failures }
      const report = await this.#ask({ ...plan, choices: comparableChoices(reachable) }, places)
      return { launched: report.launched, failures: [...report.failures, ...failures] }
    })
  }

  async list({ everyJob = false }: ListOptions = {}): Promise<readonly Vm[]> {
    const filter = everyJob ? { Name: 'tag-key', Values: [JOB_TAG] } : this.#ofJob()
    const vms = await this.#try(`Listing the VMs of job "${this.#jobId}"`, () => this.#read([filter]))
    const sinceMs = systemClock.now() - LISTED_AFTER_END_MS
    return vms.filter(({ endedAt }) => endedAt === undefined || endedAt.getTime() >= sinceMs)
  }

  async terminate(ids: readonly VmId[]): Promise<void> {
    // EC2 refuses a request for what cannot be an id at all.
    let left: readonly string[] = [...new Set(ids)].filter(id => /^i-[0-9a-f]+$/.test(id))
    await this.#try(`Terminating VMs of job "${this.#jobId}"`, async () => {
      for (let triesLeft = TERMINATE_TRIES - 1; ; triesLeft--) {
        left = await this.#terminateKnown(left)
        if (left.length === 0 || triesLeft === 0) return
        // Just launched, a VM may be unknown to EC2 itself for a moment: forgotten now, it would run on.
        await systemClock.sleep(this.#pauseMs * 2 ** (TERMINATE_TRIES - 1 - triesLeft))
      }
    })
  }

  close(): void {
    this.#client.destroy()
  }

  async #ask(plan: LaunchPlan, places: FleetPlaces): Promise<LaunchReport> {
    const { subnetsByZone } = places
    const launchedAt = new Date(systemClock.now())
    try {
      const answer = await this.#client.send(new CreateFleetCommand(fleetRequest(this.#jobId, plan, places)))
      return launchReportOf(answer, { jobId: this.#jobId, plan, subnetsByZone, launchedAt })
    } catch (error) {
      const code = awsErrorCode(error)
      if (code === 'IdempotentParameterMismatch') return this.#askedOtherwise(plan, error)
      const reason = reasonOf(code)
      if (reason !== 'capacity' && reason !== 'quota') throw error
      return { launched: [], failures: plan.choices.map(choice => launchFailure(choice, reason, messageOf(error))) }
    }
  }

  /** The same launch was asked for before, when the template, a subnet or a price was another: that request counts. */
  async #askedOtherwise(plan: LaunchPlan, error: unknown): Promise<LaunchReport> {
    const launched = await this.#launchedBefore(plan)
    if (launched.length > 0) return { launched, failures: [] }
    return { launched, failures: plan.choices.map(choice => launchFailure(choice, 'other', messageOf(error))) }
  }

  #launchedBefore({ token }: LaunchPlan): Promise<Vm[]> {
    return this.#read([this.#ofJob(), { Name: `tag:${TOKEN_TAG}`, Values: [token] }])
  }

  #ofJob(): Filter {
    return { Name: `tag:${JOB_TAG}`, Values: [this.#jobId] }
  }

  /** All pages, or none. */
  async #read(filters: Filter[]): Promise<Vm[]> {
    const instances: Ec2Instance[] = []
    const pages = paginateDescribeInstances({ client: this.#client, pageSize: this.#pageSize }, { Filters: filters })
    for await (const { Reservations = [] } of pages) {
      for (const { Instances = [] } of Reservations) instances.push(...Instances)
    }
    const spotEnds = await this.#spotEnds.read(instances)
    return instances.flatMap(instance => vmOf(instance, spotEnds) ?? [])
  }

  /** Those that EC2 does not know. */
  async #terminateKnown(ids: readonly string[]): Promise<readonly string[]> {
    const unknown: string[] = []
    for (let start = 0; start < ids.length; start += TERMINATE_AT_ONCE) {
      unknown.push(...(await this.#terminateBatch(ids.slice(start, start + TERMINATE_AT_ONCE))))
    }
    return unknown
  }

  async #terminateBatch(ids: readonly string[]): Promise<readonly string[]> {
    if (ids.length === 0) return []
    try {
      await this.#client.send(new TerminateInstancesCommand({ InstanceIds: [...ids] }))
      return []
    } catch (error) {
      // Nothing of the batch was terminated.
      const unknown = idsNamedUnknown(error, ids)
      if (unknown.length === 0) throw error
      return [...unknown, ...(await this.#terminateBatch(ids.filter(id => !unknown.includes(id))))]
    }
  }

  async #try<Value>(doing: string, work: () => Promise<Value>): Promise<Value> {
    try {
      return await work()
    } catch (error) {
      throw awsFailure(error, { doing, region: this.#region })
    }
  }
}

/** `The instance IDs 'i-1, i-2' do not exist`. */
function idsNamedUnknown(error: unknown, ids: readonly string[]): readonly string[] {
  if (!/^InvalidInstanceID\./.test(awsErrorCode(error))) return []
  const named = new Set(messageOf(error).match(/i-[0-9a-f]+/g))
  return ids.filter(id => named.has(id))
}
