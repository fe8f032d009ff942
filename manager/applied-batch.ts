// What a batch of events brought, for the collector and the VM keeper.
import type { VmId } from '../core/ids.ts'
import type { AttemptEvent } from '../core/task-event.ts'

export interface AppliedBatch {
  /** VMs that said anything in this batch, and when we heard it. */
  readonly heardAt: ReadonlyMap<VmId, Date>
  /** Events that were not stored before, in order of arrival, as JSON on one line: for the output file and for people. */
  readonly stored: readonly string[]
  readonly duplicateCount: number
  /** Texts that are no event we know. Kept in the DB. */
  readonly malformed: readonly string[]
  /** Tasks that are not in the DB. Their events are kept. */
  readonly unknownTaskIds: readonly string[]
}

/** What one VM did in a batch. */
export interface VmWork {
  attemptCount: number
  completedCount: number
  busySeconds: number
  /** Of attempts that were interrupted; part of `busySeconds`. */
  lostSeconds: number
  /** When the first and the last attempt of the batch ended, as their events say. */
  readonly firstEndedAt: string
  readonly firstElapsedSeconds: number
  lastEndedAt: string
}

export class BatchSum implements AppliedBatch {
  readonly receivedAt: Date
  readonly heardAt = new Map<VmId, Date>()
  readonly workOf = new Map<VmId, VmWork>()
  readonly stored: string[] = []
  readonly malformed: string[] = []
  readonly unknownTaskIds: string[] = []
  duplicateCount = 0

  constructor(receivedAt: Date) {
    this.receivedAt = receivedAt
  }

  addHeard(id: VmId): void {
    if (!this.heardAt.has(id)) this.heardAt.set(id, this.receivedAt)
  }

  addStored(raw: string): void {
    this.stored.push(raw.includes('\n') ? raw.replaceAll(/\s*\n\s*/g, ' ') : raw) // inside a JSON text it would be \n
  }

  addWork(id: VmId, { outcome, elapsedSeconds, timestamp }: AttemptEvent): void {
    let work = this.workOf.get(id)
    if (work === undefined) {
      const first = { firstEndedAt: timestamp, firstElapsedSeconds: elapsedSeconds, lastEndedAt: timestamp }
      work = { attemptCount: 0, completedCount: 0, busySeconds: 0, lostSeconds: 0, ...first }
      this.workOf.set(id, work)
    }
    work.attemptCount++
    work.lastEndedAt = timestamp
    if (outcome.kind === 'interrupted') work.lostSeconds += elapsedSeconds
    if (outcome.kind === 'completed' && !outcome.retry) work.completedCount++
    work.busySeconds += elapsedSeconds
  }
}
