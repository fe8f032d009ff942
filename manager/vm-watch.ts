// Remembers what was seen and heard of each VM, and when this manager was itself able to hear.
import type { VmId } from '../core/ids.ts'
import { parseEvent } from '../core/task-event.ts'
import type { Vm } from '../infra/provider.ts'
import type { SignsOfLife } from './reconcile-silence.ts'

const ASLEEP_MS = 120_000 // no tick for this long: the laptop slept, and silence meanwhile proves nothing
/** A VM that is heard of over so long a time can work. Its first sign alone proves little: an agent may give it and fail. */
const PROOF_MS = 30_000
/** By the cloud, or by somebody. */
const INNOCENT_ENDS: readonly (string | undefined)[] = ['preempted', 'terminated', 'no capacity', 'retired by AWS']

export interface Stillborn {
  readonly count: number
  /** Of the last one. */
  readonly endReason: string
  readonly vmId?: VmId | undefined
}

/** What another watch of the same job knew. */
export interface WatchMemory {
  readonly stillborn: Stillborn
  readonly proven: boolean
  /** What was launched before says nothing about what is launched now. */
  readonly since: Date
}

const NONE: Stillborn = { count: 0, endReason: '' }

/** Clouds tell the second of a launch, not more. */
export function launchedBefore({ launchedAt }: Vm, at: Date): boolean {
  return launchedAt.getTime() < Math.floor(at.getTime() / 1000) * 1000
}

export class VmWatch {
  readonly #firstHeardAt = new Map<VmId, Date>()
  readonly #heardAt = new Map<VmId, Date>()
  readonly #firstSeenAt = new Map<VmId, Date>()
  readonly #ended = new Set<VmId>()
  /** Ended by us, so their end says nothing about them. */
  readonly #forgotten = new Set<VmId>()
  #listeningSince: Date
  #knownUntil: Date
  #awakeAt: Date
  /** A VM that ends while nothing waits for it may have ended for want of work. */
  workWaits = true
  readonly #lastWords = new Map<VmId, string>()
  readonly #since: Date | undefined
  #stillborn: Stillborn
  #proven: boolean

  /** `vms` are those that are known already. */
  constructor(now: Date, { proven = false, ...memory }: Partial<WatchMemory> & { readonly vms?: readonly Vm[] } = {}) {
    this.#since = memory.since
    this.#listeningSince = memory.since ?? now
    this.#knownUntil = now
    this.#awakeAt = now
    this.#stillborn = memory.stillborn ?? NONE
    this.#proven = proven
    for (const vm of memory.vms ?? []) {
      this.#firstSeenAt.set(vm.id, vm.launchedAt)
      if (vm.state === 'terminated') this.#ended.add(vm.id)
    }
  }

  memory(): WatchMemory {
    return { stillborn: this.#stillborn, proven: this.#proven, since: this.#listeningSince }
  }

  awake(now: Date): void {
    if (now.getTime() - this.#awakeAt.getTime() > ASLEEP_MS) this.#listeningSince = now
    this.#awakeAt = now
  }

  /** `stored` are the events as JSON. */
  hear(heardAt: ReadonlyMap<VmId, Date>, stored: readonly string[]): void {
    for (const json of stored) if (json.includes('"fatal_exception"')) this.#hearLastWords(json)
    for (const [id, at] of heardAt) {
      this.#heardAt.set(id, at)
      const firstAt = this.#firstHeardAt.get(id) ?? at
      this.#firstHeardAt.set(id, firstAt)
      if (at.getTime() - firstAt.getTime() >= PROOF_MS && !this.#lastWords.has(id)) this.#proven = true
    }
    if (stored.some(json => json.includes('"task_id"'))) this.sawWork()
  }

  /** Tasks run, so VMs can work. */
  sawWork(): void {
    this.#stillborn = NONE
    this.#proven = true
  }

  #hearLastWords(json: string): void {
    const event = parseEvent(json)
    if (event?.kind === 'fatal_exception' && event.instanceId !== undefined) {
      this.#lastWords.set(event.instanceId, event.exception)
    }
  }

  heardAll(now: Date): void {
    this.#knownUntil = now
  }

  forget(ids: readonly VmId[]): void {
    for (const id of ids) this.#forgotten.add(id)
  }

  /** Returns the VMs whose end is news. */
  see(vms: readonly Vm[], now: Date): readonly Vm[] {
    const news: Vm[] = []
    for (const vm of vms) {
      const known = this.#firstSeenAt.has(vm.id)
      if (!known) this.#firstSeenAt.set(vm.id, now)
      if (vm.state !== 'terminated' || this.#ended.has(vm.id)) continue
      this.#ended.add(vm.id)
      if (!known) continue // of an earlier run
      news.push(vm)
      const lastWords = this.#lastWords.get(vm.id)
      const couldWork = this.#heardAt.has(vm.id) && lastWords === undefined
      if (couldWork || !this.workWaits || INNOCENT_ENDS.includes(vm.endReason) || this.#forgotten.has(vm.id)) continue
      if (this.#since !== undefined && launchedBefore(vm, this.#since)) continue
      this.#stillborn = {
        count: this.#stillborn.count + 1,
        endReason: lastWords ?? vm.endReason ?? 'reason unknown',
        vmId: vm.id,
      }
    }
    return news
  }

  signs(): SignsOfLife {
    return {
      heardAt: this.#heardAt,
      firstSeenAt: this.#firstSeenAt,
      listeningSince: this.#listeningSince,
      knownUntil: this.#knownUntil,
    }
  }

  /** VMs in a row that ended without having been able to work. */
  stillborn(): Stillborn {
    return this.#stillborn
  }

  /** Some VM of the job has shown that it can work. */
  proven(): boolean {
    return this.#proven
  }
}
