// A cloud and its VMs in virtual time: pools of VMs with too little capacity, slow boots, preemptions and requests that
// fail, and tasks that run on them. Everything is drawn from one seed. Knows no policy.
import { type VmId, vmId } from '../../core/ids.ts'
import type { LaunchPlan, LaunchReport, Offer, Pool, QueueDepth, Vm } from '../../infra/provider.ts'
import { placeKey } from '../../manager/select-rank.ts'
import { EventQueue } from './event-queue.ts'
import { seeded } from './seeded-random.ts'

export interface CloudOptions {
  readonly seed: number
  readonly taskCount: number
  readonly meanTaskSeconds: number
  readonly tasksPerVm: (vcpuCount: number) => number
  readonly places: readonly SimulatedPlace[]
  /** Of a boot; one in twenty takes five times as long. */
  readonly bootSeconds: number
  /** Share of requests that fail, half of them after they took effect. */
  readonly failureRate?: number
  /** A VM without work ends itself. */
  readonly idleShutdownSeconds?: number
  /** Of one task, on any VM. Default: most are short, some take up to eight times the mean. */
  readonly secondsOf?: (task: number) => number
  /** Called at the end of each task. */
  readonly onDone?: (taskSeconds: number) => void
}

export interface SimulatedPlace {
  readonly offer: Offer
  /** VMs at once, while there is no drought. */
  readonly capacity: number
  readonly preemptionsPerHour: number
  /** Share of the time without any capacity, in stretches of half an hour. */
  readonly droughtShare?: number
}

interface SimulatedVm {
  readonly id: VmId
  readonly plan: LaunchPlan
  readonly offer: Offer
  readonly launchedMs: number
  readonly places: number
  readonly endByMs: number
  readonly held: Set<number>
  ready: boolean
  idleSinceMs: number
  endedMs: number | undefined
  endReason: string | undefined
}

type Event = { readonly atMs: number; readonly vm: SimulatedVm } & (
  | { readonly kind: 'ready' | 'preempted' | 'lifetime over' | 'idle' }
  | { readonly kind: 'done'; readonly task: number }
)

const DROUGHT_MS = 1_800_000
const END_MS = 2000 // from the end of a VM to that of its bill
const LISTED_MS = 3_600_000 // a VM that ended is listed for so long

export class SimulatedCloud implements Pool {
  readonly #options: CloudOptions
  readonly #random: () => number
  readonly #events = new EventQueue<Event>()
  readonly #vms: SimulatedVm[] = []
  readonly #ofToken = new Map<string, readonly SimulatedVm[]>()
  readonly #alive = new Map<string, number>()
  #idle = new Set<SimulatedVm>()
  #nextTask = 0
  readonly #givenBack: number[] = []
  #leasedCount = 0
  doneCount = 0
  preemptionCount = 0
  lostTaskSeconds = 0
  mostVms = 0
  nowMs = Date.UTC(2026, 0, 1)

  constructor(options: CloudOptions) {
    this.#options = options
    this.#random = seeded(options.seed)
  }

  get unfinishedCount(): number {
    return this.#options.taskCount - this.doneCount
  }

  get depth(): QueueDepth {
    const ready = this.#options.taskCount - this.#nextTask + this.#givenBack.length
    return { ready, leased: this.#leasedCount, delayed: 0, estimated: false }
  }

  /** Lets the world go on; stops early at the moment when the last task is done. */
  advance(toMs: number): void {
    while (this.#events.nextAtMs <= toMs) {
      const event = this.#events.pop()
      if (event === undefined) break
      this.nowMs = event.atMs
      const wereLeft = this.unfinishedCount > 0
      this.#happen(event)
      if (wereLeft && this.unfinishedCount === 0) return
    }
    this.nowMs = toMs
  }

  async launch(plan: LaunchPlan): Promise<LaunchReport> {
    this.#maybeFail('launch')
    const known = this.#ofToken.get(plan.token)
    const made: SimulatedVm[] = known === undefined ? [] : [...known]
    const failures: { reason: 'capacity'; instanceType: string; zone: string; message: string }[] = []
    if (known === undefined) {
      for (const choice of plan.choices) {
        const missing = plan.vmCount - made.length
        if (missing === 0) break
        const { offer, startupScript = '' } = choice
        const count = Math.min(missing, this.#roomAt(offer, plan.spot))
        for (let index = 0; index < count; index++) made.push(this.#start(plan, offer, startupScript))
        const { instanceType, zone } = offer
        if (count < missing) failures.push({ reason: 'capacity', instanceType, zone, message: 'no capacity' })
      }
      this.#ofToken.set(plan.token, made)
    }
    this.#maybeFail('launch')
    return { launched: made.map(vm => this.#vmOf(vm)), failures }
  }

  async list(): Promise<readonly Vm[]> {
    this.#maybeFail('list')
    return this.#vms.filter(vm => (vm.endedMs ?? this.nowMs) > this.nowMs - LISTED_MS).map(vm => this.#vmOf(vm))
  }

  async terminate(ids: readonly VmId[]): Promise<void> {
    this.#maybeFail('terminate')
    const wanted = new Set(ids)
    for (const vm of this.#vms) if (vm.endedMs === undefined && wanted.has(vm.id)) this.#end(vm, 'terminated')
    this.#maybeFail('terminate')
  }

  /** VMs that give signs of life. */
  readyIds(): readonly VmId[] {
    return this.#vms.filter(vm => vm.ready && vm.endedMs === undefined).map(vm => vm.id)
  }

  /** Every VM that ever was: the truth, whatever a manager knows. */
  allVms(): readonly Vm[] {
    return this.#vms.map(vm => this.#vmOf(vm))
  }

  /** Slot-seconds of all tasks, without any repetition. */
  workSeconds(): number {
    let sum = 0
    for (let task = 0; task < this.#options.taskCount; task++) sum += this.#secondsOf(task)
    return sum
  }

  #happen(event: Event): void {
    const { vm } = event
    if (vm.endedMs !== undefined) return
    switch (event.kind) {
      case 'ready':
        vm.ready = true
        this.#feed(vm)
        return
      case 'done':
        vm.held.delete(event.task)
        this.#leasedCount -= 1
        this.doneCount += 1
        this.#options.onDone?.(this.#secondsOf(event.task))
        this.#feed(vm)
        return
      case 'preempted':
        this.preemptionCount += 1
        this.#end(vm, 'preempted')
        return
      case 'lifetime over':
        this.#end(vm, 'script ended')
        return
      case 'idle':
        if (vm.held.size === 0 && event.atMs - vm.idleSinceMs >= this.#idleMs()) this.#end(vm, 'script ended')
    }
  }

  #start(plan: LaunchPlan, offer: Offer, startupScript: string): SimulatedVm {
    const slow = this.#random() < 0.05 ? 5 : 1
    const readyMs = this.nowMs + this.#options.bootSeconds * slow * (0.5 + this.#random()) * 1000
    const vm: SimulatedVm = {
      id: vmId(`vm-${this.#vms.length}`),
      plan,
      offer,
      launchedMs: this.nowMs,
      places: this.#options.tasksPerVm(offer.vcpuCount),
      endByMs: startupScript === '' ? Number.POSITIVE_INFINITY : Number(startupScript),
      held: new Set(),
      ready: false,
      idleSinceMs: readyMs,
      endedMs: undefined,
      endReason: undefined,
    }
    this.#vms.push(vm)
    const key = placeKey({ ...offer, spot: plan.spot })
    this.#alive.set(key, (this.#alive.get(key) ?? 0) + 1)
    this.mostVms = Math.max(
      this.mostVms,
      [...this.#alive.values()].reduce((sum, count) => sum + count, 0),
    )
    this.#events.push({ kind: 'ready', atMs: readyMs, vm })
    if (Number.isFinite(vm.endByMs)) {
      this.#events.push({ kind: 'lifetime over', atMs: Math.max(readyMs, vm.endByMs), vm })
    }
    const place = this.#placeOf(offer)
    if (plan.spot && place !== undefined && place.preemptionsPerHour > 0) {
      const lifeMs = (-Math.log(1 - this.#random()) * 3_600_000) / place.preemptionsPerHour
      this.#events.push({ kind: 'preempted', atMs: this.nowMs + lifeMs, vm })
    }
    return vm
  }

  #end(vm: SimulatedVm, reason: string): void {
    vm.endedMs = this.nowMs + END_MS
    vm.endReason = reason
    this.#idle.delete(vm)
    const key = placeKey({ ...vm.offer, spot: vm.plan.spot })
    this.#alive.set(key, (this.#alive.get(key) ?? 1) - 1)
    for (const task of vm.held) {
      this.#givenBack.push(task)
      this.#leasedCount -= 1
      this.lostTaskSeconds += this.#secondsOf(task) / 2
    }
    vm.held.clear()
    for (const other of this.#idle) {
      if (this.#givenBack.length === 0) break
      this.#feed(other)
    }
  }

  #feed(vm: SimulatedVm): void {
    while (vm.held.size < vm.places) {
      const task = this.#givenBack.pop() ?? (this.#nextTask < this.#options.taskCount ? this.#nextTask++ : undefined)
      if (task === undefined) break
      vm.held.add(task)
      this.#leasedCount += 1
      this.#events.push({ kind: 'done', atMs: this.nowMs + this.#secondsOf(task) * 1000, vm, task })
    }
    if (vm.held.size === vm.places) this.#idle.delete(vm)
    else this.#idle.add(vm)
    if (vm.held.size > 0) return
    vm.idleSinceMs = this.nowMs
    if (Number.isFinite(this.#idleMs())) this.#events.push({ kind: 'idle', atMs: this.nowMs + this.#idleMs(), vm })
  }

  #idleMs(): number {
    return (this.#options.idleShutdownSeconds ?? Number.POSITIVE_INFINITY) * 1000
  }

  #placeOf({ instanceType, zone }: Offer): SimulatedPlace | undefined {
    return this.#options.places.find(({ offer }) => offer.instanceType === instanceType && offer.zone === zone)
  }

  #roomAt(offer: Offer, spot: boolean): number {
    const place = this.#placeOf(offer)
    if (place === undefined) return 0
    if (!spot) return Number.POSITIVE_INFINITY
    const stretch = Math.floor(this.nowMs / DROUGHT_MS)
    const luck = seeded(this.#options.seed + stretch * 31 + this.#options.places.indexOf(place) * 7919)()
    if (luck < (place.droughtShare ?? 0)) return 0
    return Math.max(0, place.capacity - (this.#alive.get(placeKey({ ...offer, spot })) ?? 0))
  }

  /** Skewed as real tasks are: most are short, some take long. The same for a task wherever and whenever it runs. */
  #secondsOf(task: number): number {
    if (this.#options.secondsOf !== undefined) return this.#options.secondsOf(task)
    const luck = (Math.imul(task ^ 0x9e3779b9, 0x85ebca6b) >>> 0) / 2 ** 32
    return this.#options.meanTaskSeconds * Math.min(8, -Math.log(1 - luck * 0.9999))
  }

  #maybeFail(what: string): void {
    if (this.#random() < (this.#options.failureRate ?? 0) / 2) throw new Error(`simulated failure of ${what}`)
  }

  #vmOf(vm: SimulatedVm): Vm {
    const ended = vm.endedMs !== undefined && vm.endedMs <= this.nowMs
    return {
      id: vm.id,
      jobId: 'job',
      state: ended ? 'terminated' : vm.endedMs !== undefined ? 'stopping' : vm.ready ? 'running' : 'starting',
      instanceType: vm.offer.instanceType,
      zone: vm.offer.zone,
      spot: vm.plan.spot,
      vcpuCount: vm.offer.vcpuCount,
      priceUsdPerHour: vm.offer.priceUsdPerHour,
      launchedAt: new Date(vm.launchedMs),
      ...(ended && vm.endedMs !== undefined ? { endedAt: new Date(vm.endedMs) } : undefined),
      ...(vm.endReason === undefined ? undefined : { endReason: vm.endReason }),
    }
  }
}
