// Remembers what was seen and heard of each VM, and when this manager was itself able to hear.
import type { VmId } from '../core/ids.ts'
import type { Vm } from '../infra/provider.ts'
import type { SignsOfLife } from './reconcile-silence.ts'

const ASLEEP_MS = 120_000 // no tick for this long: the laptop slept, and silence meanwhile proves nothing

export class VmWatch {
  readonly #heardAt = new Map<VmId, Date>()
  readonly #firstSeenAt = new Map<VmId, Date>()
  readonly #ended = new Set<VmId>()
  /** Ended by us, so their end says nothing about them. */
  readonly #forgotten = new Set<VmId>()
  #listeningSince: Date
  #knownUntil: Date
  #awakeAt: Date
  #stillborn = { count: 0, endReason: '' }

  constructor(now: Date) {
    this.#listeningSince = now
    this.#knownUntil = now
    this.#awakeAt = now
  }

  awake(now: Date): void {
    if (now.getTime() - this.#awakeAt.getTime() > ASLEEP_MS) this.#listeningSince = now
    this.#awakeAt = now
  }

  hear(heardAt: ReadonlyMap<VmId, Date>): void {
    for (const [id, at] of heardAt) this.#heardAt.set(id, at)
    if (heardAt.size > 0) this.#stillborn = { count: 0, endReason: '' }
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
      if (vm.endReason !== 'preempted' && !this.#heardAt.has(vm.id) && !this.#forgotten.has(vm.id)) {
        this.#stillborn = { count: this.#stillborn.count + 1, endReason: vm.endReason ?? 'reason unknown' }
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

  stillborn(): { readonly count: number; readonly endReason: string } {
    return this.#stillborn
  }
}
