// What filters, sorts and charts need of each task and each attempt, as typed arrays: some 14 and 15 bytes a row, so that ten
// million tasks fit into a small process. Texts stay in the database.
import { TASK_STATUSES } from '../job-db-status.ts'

const STEP_MS = 4 // four bytes then reach for 198 days
const EARLIER_MS = 30 * 86_400_000 // before the first event that was collected: others may have ended earlier
const SPARE = 1.3 // of what is needed when a column has to grow

/** By the row number of `tasks`, which begins with 1. */
export class TaskColumns {
  /** One more than the highest row that was read. */
  end = 1
  /** 1 + index into TASK_STATUSES; 0 = no such row. */
  status = new Uint8Array(0)
  attempt = new Uint8Array(0)
  /** Number of the VM of its last attempt so far; 0 = none. */
  vm = new Uint16Array(0)
  /** Number of its failure's group; 0 = none. */
  group = new Uint16Array(0)
  /** Seconds; NaN = none. */
  elapsed = new Float32Array(0)
  /** Tenths of a second since 2020; 0 = not ended. */
  ended = new Uint32Array(0)
  /** How many rows show each status, by its code. */
  readonly counts = new Float64Array(TASK_STATUSES.length + 1)

  reserve(rowCount: number): void {
    if (rowCount < this.status.length) return
    const size = Math.ceil(rowCount * SPARE) + 1024
    this.status = grown(this.status, new Uint8Array(size))
    this.attempt = grown(this.attempt, new Uint8Array(size))
    this.vm = grown(this.vm, new Uint16Array(size))
    this.group = grown(this.group, new Uint16Array(size))
    this.elapsed = grown(this.elapsed, new Float32Array(size))
    this.ended = grown(this.ended, new Uint32Array(size))
  }
}

export const ATTEMPT_KINDS = ['completed', 'exception', 'timed_out', 'exited', 'interrupted'] as const

/** In the order in which they were collected. */
export class AttemptColumns {
  count = 0
  /** Index into ATTEMPT_KINDS. */
  kind = new Uint8Array(0)
  vm = new Uint16Array(0)
  /** Row of its task; 0 = not of this job. */
  taskRow = new Uint32Array(0)
  elapsed = new Float32Array(0)
  /** Steps since `#fromMs`; 0 = not known. */
  ended = new Uint32Array(0)
  #fromMs: number | undefined

  reserve(count: number): void {
    if (count < this.kind.length) return
    const size = Math.ceil(count * SPARE) + 1024
    this.kind = grown(this.kind, new Uint8Array(size))
    this.vm = grown(this.vm, new Uint16Array(size))
    this.taskRow = grown(this.taskRow, new Uint32Array(size))
    this.elapsed = grown(this.elapsed, new Float32Array(size))
    this.ended = grown(this.ended, new Uint32Array(size))
  }

  setEndedMs(at: number, ms: number | undefined): void {
    if (ms === undefined) return
    this.#fromMs ??= ms - EARLIER_MS
    this.ended[at] = Math.max(1, Math.min(0xffff_ffff, Math.round((ms - this.#fromMs) / STEP_MS)))
  }

  /** 0 = not known. */
  endedMs(at: number): number {
    const steps = this.ended[at] ?? 0
    return steps === 0 ? 0 : (this.#fromMs ?? 0) + steps * STEP_MS
  }
}

const CODES = new Map<string, number>(TASK_STATUSES.map((status, index) => [status, index + 1]))

/** 0 for a status that nobody knows. */
export function statusCode(status: string): number {
  return CODES.get(status) ?? 0
}

const EPOCH_MS = Date.UTC(2020, 0, 1)

export function tenthsOf(ms: number | undefined): number {
  return ms === undefined ? 0 : Math.max(1, Math.min(0xffff_ffff, Math.round((ms - EPOCH_MS) / 100)))
}

export function msOfTenths(tenths: number): number {
  return EPOCH_MS + tenths * 100
}

interface Column<Self> {
  set(from: Self): void
}

function grown<Array extends Column<Array>>(old: Array, bigger: Array): Array {
  bigger.set(old)
  return bigger
}
