// Remembers what was seen and heard of each VM, and when this manager was itself able to hear.
import type { VmId } from '../core/ids.ts'
import { parseEvent } from '../core/task-event.ts'
import type { Vm } from '../infra/provider.ts'
import type { SignsOfLife } from './reconcile-silence.ts'

const ASLEEP_MS = 120_000 // no tick for this long: the laptop slept, and silence meanwhile proves nothing

export interface Stillborn {
  readonly count: number
  /** Of the last one. */
  readonly endReason: string
}

const NONE: Stillborn = { count: 0, endReason: '' }

export class VmWatch {
  readonly #heardAt = new Map<VmId, Date>()
  readonly #firstSeenAt = new Map<VmId, Date>()
  readonly #ended = new Set<VmId>()
  /** Ended by us, so their end says nothing about them. */
  readonly #forgotten = new Set<VmId>()
  #listeningSince: Date
  #knownUntil: Date
  #awakeAt: Date
  readonly #lastWords = new Map<VmId, string>()
  #stillborn: Stillborn = NONE

  constructor(now: Date) {
    this.#listeningSince = now
    this.#knownUntil = now
    this.#awakeAt = now
  }

  awake(now: Date): void {
    if (now.getTime() - this.#awakeAt.getTime() > ASLEEP_MS) this.#listeningSince = now
    this.#awakeAt = now
  }

  /** `stored` are the events as JSON. */
  hear(heardAt: ReadonlyMap<VmId, Date>, stored: readonly string[]): void {
    for (const [id, at] of heardAt) this.#heardAt.set(id, at)
    if (stored.some(json => json.includes('"task_id"'))) this.#stillborn = NONE // tasks run, so VMs can work
    for (const json of stored) if (json.includes('"fatal_exception"')) this.#hearLastWords(json)
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
      if (couldWork || vm.endReason === 'preempted' || this.#forgotten.has(vm.id)) continue
      this.#stillborn = {
        count: this.#stillborn.count + 1,
        endReason: lastWords ?? vm.endReason ?? 'reason unknown',
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
}
