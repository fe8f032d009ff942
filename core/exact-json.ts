// JSON.parse that keeps numbers which JavaScript cannot hold (big integers, long decimals) as they were written, so that
// a value passed on by JSON.stringify has every digit. Slower: for values that are handed on, not for those looked into.

interface RawJson {
  rawJSON(text: string): unknown
}
interface Source {
  readonly source?: string
}
type ExactReviver = (this: unknown, key: string, value: unknown, context: Source) => unknown

/** Built into Node 24; TypeScript does not know them yet. */
const { rawJSON } = JSON as unknown as RawJson
const parse = JSON.parse as (text: string, reviver?: ExactReviver) => unknown

const LONG_NUMBER = /\d{15}|\d[eE]|\.\d{15}/

export function parseExactJson(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text)
  return parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? rawJSON(source) : value,
  )
}
