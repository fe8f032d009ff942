// Which tasks match, in which order, one page of them: a walk over the columns, whatever their number.
import type { TaskSort } from './api.ts'
import { statusCode } from './columns.ts'
import type { JobIndex } from './job-index.ts'

export interface TaskFilter {
  /** Empty = any. */
  readonly statuses: readonly string[]
  /** Id of a group of failures. */
  readonly exception?: string
  readonly vm?: string
  /** A 1 for each row that may match. */
  readonly among?: Uint8Array
}

export interface TaskOrder {
  readonly sort: TaskSort
  readonly descending: boolean
  readonly limit: number
  /** Where the page before ended. */
  readonly after?: Cursor
}

export interface Cursor {
  readonly value: number
  readonly row: number
}

export interface FoundTasks {
  readonly rows: readonly number[]
  readonly totalMatching: number
  /** undefined on the last page. */
  readonly next: Cursor | undefined
}

export function findTasks(index: JobIndex, filter: TaskFilter, order: TaskOrder): FoundTasks {
  const { tasks } = index
  const statuses = statusMask(filter.statuses)
  const group = filter.exception === undefined ? undefined : (index.failures.find(filter.exception) ?? -1)
  const vm = filter.vm === undefined ? undefined : (index.findVm(filter.vm) ?? -1)
  const { among } = filter
  const { sort, descending, after } = order
  const page = new Page(order.limit)
  const sign = descending ? -1 : 1
  const afterKey = after === undefined ? undefined : { value: after.value * sign, row: after.row * sign }
  const value = valueReader(index, sort)
  let totalMatching = 0
  // In the direction of the order: later rows have mostly ended later, so that most are refused at once.
  for (let count = 1; count < tasks.end; count++) {
    const row = descending ? tasks.end - count : count
    if (statuses[tasks.status[row] ?? 0] !== 1) continue
    if (group !== undefined && tasks.group[row] !== group) continue
    if (vm !== undefined && tasks.vm[row] !== vm) continue
    if (among !== undefined && among[row] !== 1) continue
    const raw = value(row)
    if (Number.isNaN(raw)) continue // what has no time has no place in an order of times
    totalMatching++
    const key = raw * sign
    const rowKey = row * sign
    if (afterKey !== undefined && (key < afterKey.value || (key === afterKey.value && rowKey <= afterKey.row))) continue
    page.offer(key, rowKey)
  }
  const rows = page.sorted().map(entry => entry.row * sign)
  const last = rows.at(-1)
  const next = page.overflowed && last !== undefined ? { value: value(last), row: last } : undefined
  return { rows, totalMatching, next }
}

export function renderCursor({ value, row }: Cursor): string {
  return `${value}:${row}`
}

/** undefined for a text that is none. */
export function parseCursor(text: string): Cursor | undefined {
  const [value, row, ...rest] = text.split(':').map(Number)
  if (value === undefined || row === undefined || rest.length > 0) return undefined
  return Number.isFinite(value) && Number.isSafeInteger(row) ? { value, row } : undefined
}

function valueReader({ tasks }: JobIndex, sort: TaskSort): (row: number) => number {
  switch (sort) {
    case 'order':
      return () => 0
    case 'elapsed':
      return row => tasks.elapsed[row] ?? Number.NaN
    case 'ended':
      return row => tasks.ended[row] || Number.NaN
    case 'attempts':
      return row => tasks.attempt[row] ?? 0
  }
}

function statusMask(statuses: readonly string[]): Uint8Array {
  const mask = new Uint8Array(256)
  if (statuses.length === 0) return mask.fill(1, 1)
  for (const status of statuses) mask[statusCode(status)] = 1
  mask[0] = 0
  return mask
}

interface Entry {
  readonly key: number
  readonly row: number
}

/** The least entries of all that were offered, without sorting the rest. */
class Page {
  readonly #limit: number
  #entries: Entry[] = []
  #worst: Entry = { key: Number.POSITIVE_INFINITY, row: Number.POSITIVE_INFINITY }
  overflowed = false

  constructor(limit: number) {
    this.#limit = limit
  }

  offer(key: number, row: number): void {
    const { key: worstKey, row: worstRow } = this.#worst
    if (key > worstKey || (key === worstKey && row >= worstRow)) {
      this.overflowed = true
      return
    }
    this.#entries.push({ key, row })
    if (this.#entries.length >= this.#limit * 4) this.#trim()
  }

  sorted(): readonly Entry[] {
    this.#trim()
    return this.#entries
  }

  #trim(): void {
    this.#entries.sort((a, b) => a.key - b.key || a.row - b.row)
    if (this.#entries.length > this.#limit) this.overflowed = true
    this.#entries.length = Math.min(this.#entries.length, this.#limit)
    const last = this.#entries[this.#limit - 1]
    if (last !== undefined) this.#worst = last
  }
}
