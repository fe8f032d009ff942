// Values of database rows as what they should be; undefined for anything else. Rows of other programs are taken as they come.

export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** Milliseconds since the epoch of a stored timestamp. */
export function msOf(value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined
  const ms = Date.parse(value)
  return Number.isNaN(ms) ? undefined : ms
}

export function instantOf(value: unknown): string | undefined {
  const ms = msOf(value)
  return ms === undefined ? undefined : new Date(ms).toISOString()
}

/** Absent instead of undefined. */
export function defined<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
}
