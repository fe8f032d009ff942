// --sort-by: comma separated column names, abbreviations among them, `-` before one for descending. Pure.
import { UserError } from '../../core/errors.ts'

/** Spelling → field of the row. */
export type SortKeys<Row> = Readonly<Record<string, (row: Row) => string | number>>

export function sortRows<Row>(rows: readonly Row[], sortBy: string, keys: SortKeys<Row>): Row[] {
  const orders = sortBy.split(',').map(word => {
    const name = word.trim().replace(/^-/, '').toLowerCase()
    const field = keys[name]
    if (field === undefined) {
      throw new UserError(`Cannot sort by "${name}"; columns are ${Object.keys(keys).join(', ')}.`)
    }
    return { field, sign: word.trim().startsWith('-') ? -1 : 1 }
  })
  return rows.toSorted((a, b) => {
    for (const { field, sign } of orders) {
      const [left, right] = [field(a), field(b)]
      if (left !== right) return left < right ? -sign : sign
    }
    return 0
  })
}
