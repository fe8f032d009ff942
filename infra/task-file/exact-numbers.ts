// Keeps numbers that JavaScript cannot hold (integers beyond 2^53, 1e400) digit for digit on their way from file to queue.
import type { Json, JsonObject } from '../../core/task.ts'

/** Whether a parsed value may differ from its text. Called for every task, so it must cost next to nothing. */
export function hasInexactNumber(value: Json): boolean {
  if (typeof value === 'number') return value > MAX_SAFE || value < -MAX_SAFE
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(hasInexactNumber)
  for (const key in value) {
    const field = (value as JsonObject)[key]
    if (typeof field === 'string') continue
    if (field !== undefined && hasInexactNumber(field)) return true
  }
  return false
}

const MAX_SAFE = Number.MAX_SAFE_INTEGER

/**
 * One field of a JSON object, with each inexact number replaced by `JSON.rawJSON`: a value that `JSON.stringify` writes
 * as the very digits of the text. So what goes on is exact, whoever reads it.
 */
export function exactValue(objectJson: string, field: string): Json {
  const object = JSON.parse(objectJson, (_key, value: unknown, context?: { readonly source?: string }) => {
    const source = context?.source
    return typeof value === 'number' && source !== undefined && isInexact(value, source) ? rawJson(source) : value
  })
  return object[field]
}

/** A number that `JSON.stringify` writes as `digits`. */
export function rawJson(digits: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(digits)
}

function isInexact(value: number, source: string): boolean {
  if (value <= MAX_SAFE && value >= -MAX_SAFE) return false
  if (!Number.isFinite(value)) return true
  return /^-?\d+$/.test(source) && String(BigInt(source)) !== String(BigInt(value))
}
