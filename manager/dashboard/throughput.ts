// Attempts that ended, counted by time in a bounded number of buckets, which get wider as the job gets longer.

const BUCKETS = 4096
const FIRST_WIDTH_MS = 1000

export interface Counted {
  readonly fromMs: number
  readonly widthMs: number
  /** Buckets in use. */
  readonly count: number
  readonly completed: Uint32Array
  readonly failed: Uint32Array
}

export class Throughput {
  readonly #completed = new Uint32Array(BUCKETS)
  readonly #failed = new Uint32Array(BUCKETS)
  #fromMs: number | undefined
  #widthMs = FIRST_WIDTH_MS
  #count = 0

  add(endedMs: number, completed: boolean): void {
    this.#fromMs ??= alignDown(endedMs, this.#widthMs)
    while (endedMs < this.#fromMs) this.#makeRoomBefore(endedMs)
    let bucket = Math.floor((endedMs - this.#fromMs) / this.#widthMs)
    while (bucket >= BUCKETS) {
      this.#widen()
      bucket = Math.floor((endedMs - this.#fromMs) / this.#widthMs)
    }
    this.#count = Math.max(this.#count, bucket + 1)
    const column = completed ? this.#completed : this.#failed
    column[bucket] = (column[bucket] ?? 0) + 1
  }

  counted(): Counted {
    return {
      fromMs: this.#fromMs ?? 0,
      widthMs: this.#widthMs,
      count: this.#count,
      completed: this.#completed,
      failed: this.#failed,
    }
  }

  /** Events of several VMs do not come in the order in which they happened. */
  #makeRoomBefore(ms: number): void {
    const from = this.#fromMs ?? ms
    const shift = Math.ceil((from - ms) / this.#widthMs)
    if (shift + this.#count > BUCKETS) {
      this.#widen()
      return
    }
    for (const column of [this.#completed, this.#failed]) {
      column.copyWithin(shift, 0, this.#count)
      column.fill(0, 0, shift)
    }
    this.#count += shift
    this.#fromMs = from - shift * this.#widthMs
  }

  #widen(): void {
    const width = this.#widthMs * 2
    const from = alignDown(this.#fromMs ?? 0, width)
    const offset = from === this.#fromMs ? 0 : 1
    for (const column of [this.#completed, this.#failed]) {
      const old = column.slice(0, this.#count)
      column.fill(0)
      for (const [index, value] of old.entries()) {
        const bucket = (index + offset) >> 1
        column[bucket] = (column[bucket] ?? 0) + value
      }
    }
    this.#count = (this.#count + offset + 1) >> 1
    this.#fromMs = from
    this.#widthMs = width
  }
}

function alignDown(ms: number, widthMs: number): number {
  return Math.floor(ms / widthMs) * widthMs
}
