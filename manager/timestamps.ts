// Instants as the Python system stores them: ISO-8601 in UTC with `+00:00`, a fraction only if it is not zero.

export function renderTimestamp(instant: Date): string {
  const iso = instant.toISOString()
  return iso.endsWith('.000Z') ? `${iso.slice(0, -5)}+00:00` : `${iso.slice(0, -1)}000+00:00`
}

const ISO = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:(Z)|([+-]\d\d):?(\d\d)?)?$/i

/** Any ISO-8601 time in the stored form; a time without a zone is UTC. What is no time stays as it is. */
export function normalizeTimestamp(text: string): string {
  // What all workers write, and nearly always the case.
  if (
    text.length === 32 &&
    text.endsWith('+00:00') &&
    text[10] === 'T' &&
    text[19] === '.' &&
    !text.includes('.000000')
  ) {
    return text
  }
  const match = ISO.exec(text)
  if (match === null) return text
  const [, date, minutes, seconds = '00', fraction = '', , offsetHours, offsetMinutes = '00'] = match
  const zone = offsetHours === undefined ? 'Z' : `${offsetHours}:${offsetMinutes}`
  const instant = new Date(`${date}T${minutes}:${seconds}${zone}`)
  if (Number.isNaN(instant.getTime())) return text
  const micros = fraction.slice(0, 6).padEnd(6, '0')
  return `${instant.toISOString().slice(0, 19)}${micros === '000000' ? '' : `.${micros}`}+00:00`
}

/** Orders stored timestamps; the fraction may be missing. */
export function compareTimestamps(a: string, b: string): number {
  const left = sortable(a)
  const right = sortable(b)
  return left < right ? -1 : left > right ? 1 : 0
}

function sortable(timestamp: string): string {
  return timestamp[19] === '+' ? `${timestamp.slice(0, 19)}.000000` : timestamp
}

export function parseTimestamp(text: unknown): Date | undefined {
  if (typeof text !== 'string') return undefined
  const instant = new Date(text)
  return Number.isNaN(instant.getTime()) ? undefined : instant
}
