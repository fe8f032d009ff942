// All that the dashboard keeps in memory of one job. Filled by IndexFiller, read by everything else.
import { FINAL_STATUSES } from '../job-db-status.ts'
import { AttemptColumns, msOfTenths, statusCode, TaskColumns, tenthsOf } from './columns.ts'
import { type Failure, FailureGroups } from './failure-groups.ts'
import { Throughput } from './throughput.ts'

/** What its events tell of a VM, or of a host where events name no VM. */
export interface VmTrace {
  readonly id: string
  firstMs: number
  lastMs: number
  attempts: number
  completed: number
  noticeMs: number | undefined
}

export interface TaskState extends Failure {
  readonly elapsedSeconds: number | undefined
  readonly endedMs: number | undefined
  readonly attempt: number | undefined
}

const MOST_VMS = 65_535 // as many as fit into a column; the last number stands for all others

export class JobIndex {
  readonly tasks = new TaskColumns()
  readonly attempts = new AttemptColumns()
  readonly failures = new FailureGroups()
  readonly throughput = new Throughput()
  /** The first stands for none. */
  readonly vms: VmTrace[] = [newTrace('')]
  readonly #vmNumbers = new Map<string, number>()
  /** 0 … 1, of what is in the database. */
  share = 0
  /** Raised by every change. */
  version = 0

  get complete(): boolean {
    return this.share >= 1
  }

  setTask(row: number, state: TaskState): void {
    const { tasks, failures } = this
    tasks.reserve(row + 1)
    const [before, after] = [tasks.status[row] ?? 0, statusCode(state.status)]
    tasks.counts[before] = (tasks.counts[before] ?? 0) - 1
    tasks.counts[after] = (tasks.counts[after] ?? 0) + 1
    tasks.status[row] = after
    tasks.attempt[row] = Math.min(255, state.attempt ?? 0)
    tasks.elapsed[row] = state.elapsedSeconds ?? Number.NaN
    tasks.ended[row] = tenthsOf(state.endedMs)
    const [oldGroup, group] = [tasks.group[row] ?? 0, failures.numberOf(state)]
    tasks.group[row] = group
    this.#count(oldGroup, -1, undefined)
    this.#count(group, 1, state.endedMs)
    tasks.end = Math.max(tasks.end, row + 1)
    this.version++
  }

  vmNumber(id: string | undefined): number {
    if (id === undefined) return 0
    const known = this.#vmNumbers.get(id)
    if (known !== undefined) return known
    const number = Math.min(this.vms.length, MOST_VMS)
    if (number === this.vms.length) this.vms.push(newTrace(number === MOST_VMS ? 'others' : id))
    if (number < MOST_VMS) this.#vmNumbers.set(id, number)
    return number
  }

  /** undefined for a VM of which no event was seen. */
  findVm(id: string): number | undefined {
    return this.#vmNumbers.get(id)
  }

  /** Tasks that are read as done, however they ended. */
  finalCount(): number {
    return FINAL_STATUSES.reduce((sum, status) => sum + (this.tasks.counts[statusCode(status)] ?? 0), 0)
  }

  /** When the last task ended. */
  lastEndedMs(): number | undefined {
    const { ended, end } = this.tasks
    let last = 0
    for (let row = 1; row < end; row++) if ((ended[row] ?? 0) > last) last = ended[row] ?? 0
    return last === 0 ? undefined : msOfTenths(last)
  }

  #count(group: number, change: number, endedMs: number | undefined): void {
    const found = this.failures.groups[group]
    if (found === undefined || group === 0) return
    found.count += change
    if (endedMs !== undefined) found.lastMs = Math.max(found.lastMs, endedMs)
  }
}

function newTrace(id: string): VmTrace {
  const unseen = { firstMs: Number.POSITIVE_INFINITY, lastMs: Number.NEGATIVE_INFINITY, noticeMs: undefined }
  return { id, attempts: 0, completed: 0, ...unseen }
}
