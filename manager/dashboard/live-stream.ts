// What the page is told without asking: one look at the job for all who listen, and to each only as much as he takes.
import { systemClock } from '../../core/clock.ts'
import type { StreamEventName, VmRow } from './api.ts'
import type { JobFollower } from './job-follower.ts'

const LOOK_MS = 1000
const HEARTBEAT_MS = 15_000
const SERIES_POINTS = 300
const SERIES_EVERY = 2 // looks
const MANY_VMS = 500 // with more of them, they are compared less often
const VMS_EVERY = 2 // looks
const MANY_VMS_EVERY = 10

export class LiveStream {
  readonly #follower: JobFollower
  readonly #listeners = new Set<Listener>()
  #told = new Map<StreamEventName, string>()
  #toldVms = new Map<string, string>()
  #generation: number

  constructor(follower: JobFollower) {
    this.#follower = follower
    this.#generation = follower.generation
  }

  get listenerCount(): number {
    return this.#listeners.size
  }

  /** Tells one listener until the signal. `write` resolves when the listener has taken it. */
  async listen(write: (event: StreamEventName, data: string) => Promise<void>, signal: AbortSignal): Promise<void> {
    const listener = new Listener()
    this.#listeners.add(listener)
    const wake = () => listener.wake()
    signal.addEventListener('abort', wake, { once: true })
    try {
      const job = this.#follower.job()
      listener.tell('job', JSON.stringify(job))
      listener.tell('series', JSON.stringify(this.#follower.series({ points: SERIES_POINTS }, job)))
      while (!signal.aborted) {
        const next = listener.next()
        if (next === undefined) await listener.something()
        else await write(next.event, next.data)
      }
    } finally {
      signal.removeEventListener('abort', wake)
      this.#listeners.delete(listener)
    }
  }

  /** Looks at the job once a second while anybody listens. */
  async run(signal: AbortSignal): Promise<void> {
    let heartbeatAt = systemClock.now()
    for (let look = 0; !signal.aborted; look++) {
      await systemClock.sleep(LOOK_MS, signal)
      if (this.#listeners.size === 0 || signal.aborted) continue
      this.#look(look)
      if (systemClock.now() - heartbeatAt < HEARTBEAT_MS) continue
      heartbeatAt = systemClock.now()
      for (const listener of this.#listeners) listener.tell('heartbeat', '{}')
    }
  }

  #look(look: number): void {
    const follower = this.#follower
    if (follower.generation !== this.#generation) {
      this.#generation = follower.generation
      this.#told.clear()
      this.#toldVms.clear()
      for (const listener of this.#listeners) listener.tell('reset', '{}')
    }
    const job = follower.watched.attempt(() => follower.job())
    if (job === undefined) return
    this.#tellIfNew('job', JSON.stringify(job), JSON.stringify({ ...job, now: '' }))
    if (look % SERIES_EVERY === 0) {
      const series = JSON.stringify(follower.series({ points: SERIES_POINTS }, job))
      this.#tellIfNew('series', series, series)
    }
    const vms = follower.vms()
    if (look % (vms.length > MANY_VMS ? MANY_VMS_EVERY : VMS_EVERY) === 0) this.#tellVms(vms)
  }

  #tellIfNew(event: StreamEventName, data: string, sameAs: string): void {
    if (this.#told.get(event) === sameAs) return
    this.#told.set(event, sameAs)
    for (const listener of this.#listeners) listener.tell(event, data)
  }

  /** What a VM costs grows each moment, and is no news. */
  #tellVms(vms: readonly VmRow[]): void {
    const changed = vms.filter(({ costUsd: _costUsd, ...vm }) => {
      const text = JSON.stringify(vm)
      if (this.#toldVms.get(vm.id) === text) return false
      this.#toldVms.set(vm.id, text)
      return true
    })
    if (changed.length > 0) for (const listener of this.#listeners) listener.tellVms(changed)
  }
}

/** What waits for one listener: of each kind the newest only, so that a slow one costs no memory. */
class Listener {
  readonly #waiting = new Map<StreamEventName, string>()
  readonly #vms = new Map<string, VmRow>()
  #wake: (() => void) | undefined

  tell(event: StreamEventName, data: string): void {
    this.#waiting.set(event, data)
    this.wake()
  }

  tellVms(vms: readonly VmRow[]): void {
    for (const vm of vms) this.#vms.set(vm.id, vm)
    this.wake()
  }

  next(): { readonly event: StreamEventName; readonly data: string } | undefined {
    for (const [event, data] of this.#waiting) {
      this.#waiting.delete(event)
      return { event, data }
    }
    if (this.#vms.size === 0) return undefined
    const data = JSON.stringify({ vms: [...this.#vms.values()] })
    this.#vms.clear()
    return { event: 'vms', data }
  }

  /** Resolves when there is something, or when it is woken for another reason. */
  something(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
    })
  }

  wake(): void {
    this.#wake?.()
    this.#wake = undefined
  }
}
