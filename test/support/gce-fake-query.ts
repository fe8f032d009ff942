// How the fake Compute Engine answers listings: filters, partial answers and pages, and refusals of what the service refuses.

export type Resource = Readonly<Record<string, unknown>>

/** Becomes an error document of the service. */
export class GceRefusal extends Error {
  readonly status: number
  readonly reason: string

  constructor(status: number, reason: string, message: string) {
    super(message)
    this.status = status
    this.reason = reason
  }
}

export function invalid(message: string): GceRefusal {
  return new GceRefusal(400, 'invalid', message)
}

/** Of the two grammars of filters, what is used here: one regular expression, or comparisons joined by AND or OR. */
export function filterOf(expression: string | null): (resource: Resource) => boolean {
  if (!expression) return () => true
  const regular = /^\s*([\w.-]+) (eq|ne) ("(?:[^"\\]|\\.)*"|\S+)\s*$/.exec(expression)
  if (regular !== null) {
    const [, path = '', operator, quoted = ''] = regular
    const pattern = new RegExp(`^(?:${quoted.replace(/^"|"$/g, '')})$`)
    return resource => pattern.test(String(fieldOf(resource, path) ?? '')) === (operator === 'eq')
  }
  if (/ (eq|ne) /.test(expression)) throw invalid("Invalid value for field 'filter': one regular expression at most.")
  const joins = new Set(expression.match(/\b(AND|OR)\b/g))
  if (joins.size > 1) throw invalid("Invalid value for field 'filter': this fake does not mix AND and OR.")
  const tests = expression.split(/\s+(?:AND|OR)\s+/).map(comparisonOf)
  return resource => (joins.has('OR') ? tests.some(test => test(resource)) : tests.every(test => test(resource)))
}

function comparisonOf(text: string): (resource: Resource) => boolean {
  const match = /^\(?\s*([\w.-]+)\s*(=|!=)\s*"([^"]*)"\s*\)?$/.exec(text.trim())
  if (match === null) throw invalid(`Invalid value for field 'filter': '${text}'. Invalid list filter expression.`)
  const [, path = '', operator, value] = match
  return resource => (fieldOf(resource, path) === value) === (operator === '=')
}

function fieldOf(resource: Resource, path: string): unknown {
  const [first = '', ...rest] = path.split('.')
  const value = resource[first]
  if (rest.length === 0) return value
  return typeof value === 'object' && value !== null ? fieldOf({ ...value }, rest.join('.')) : undefined
}

/** `a,b(c,d),e/f`, with `*` for every key. */
export function partOf(value: unknown, fields: string): unknown {
  if (Array.isArray(value)) return value.map(item => partOf(item, fields))
  if (typeof value !== 'object' || value === null) throw invalid(`Invalid field selection ${fields}`)
  const kept: Record<string, unknown> = {}
  for (const field of splitFields(fields)) {
    const [, name = '', slash, inner] = /^([\w*-]+)(?:(\/)(.+)|\((.+)\))?$/.exec(field)?.slice(0) ?? []
    if (name === '') throw invalid(`Invalid field selection ${field}`)
    const below = slash === undefined ? /\((.+)\)$/.exec(field)?.[1] : field.slice(name.length + 1)
    for (const [key, item] of Object.entries(value)) {
      if (name !== '*' && key !== name) continue
      const part = below === undefined || inner === '' ? item : partOf(item, below)
      const before = kept[key]
      kept[key] = isObject(before) && isObject(part) ? { ...before, ...part } : part
    }
  }
  return kept
}

function isObject(value: unknown): value is Resource {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function splitFields(fields: string): string[] {
  const parts: string[] = []
  let depth = 0
  let part = ''
  for (const char of fields) {
    if (char === '(') depth++
    if (char === ')') depth--
    if (char === ',' && depth === 0) {
      parts.push(part)
      part = ''
    } else part += char
  }
  if (depth !== 0) throw invalid(`Invalid field selection ${fields}`)
  return [...parts, part].filter(text => text !== '')
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly nextPageToken?: string
}

/** At most 500 a page, as asked for and as the fake is told; the token names the place. */
export function pageOf<T>(all: readonly T[], query: URLSearchParams, mostPerPage: number): Page<T> {
  const asked = Number(query.get('maxResults') ?? 500)
  if (!Number.isInteger(asked) || asked < 0 || asked > 500) throw invalid("Invalid value for field 'maxResults'.")
  const start = Number(query.get('pageToken')?.replace('page-', '') ?? 0)
  if (!Number.isInteger(start)) throw invalid("Invalid value for field 'pageToken'.")
  const end = start + Math.min(asked, mostPerPage)
  return { items: all.slice(start, end), ...(end < all.length && { nextPageToken: `page-${end}` }) }
}
