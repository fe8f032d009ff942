// What --filter, --sort-by and --limit leave of a listing. Pure.
import type { GivenOptions } from './invocation.ts'
import { type SortKeys, sortRows } from './sort-rows.ts'

export interface Narrowing<Row> {
  readonly keys: SortKeys<Row>
  /** Order without --sort-by. */
  readonly order: string
}

/** The filter is text in any field, in any case; the limit counts what is left after it, in the order asked for. */
export function narrowRows<Row extends object>(
  rows: readonly Row[],
  options: GivenOptions,
  { keys, order }: Narrowing<Row>,
): Row[] {
  const wanted = options.text('filter')?.toLowerCase()
  const matching = rows.filter(
    row => wanted === undefined || Object.values(row).some(field => String(field).toLowerCase().includes(wanted)),
  )
  return sortRows(matching, options.text('sort-by') ?? order, keys).slice(0, options.count('limit') || undefined)
}
