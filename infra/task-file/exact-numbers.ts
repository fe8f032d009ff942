// Finds numbers that JavaScript cannot hold (integers beyond 2^53, 1e400), so that they stay digit for digit as written.
import { parseExactJson } from '../../core/exact-json.ts'
import type { Json, JsonObject } from '../../core/task.ts'

/** Whether a parsed value may differ from its text. Called for every task, so it must cost next to nothing. */
export function hasInexactNumber(value: Json): boolean {
  if (typeof value === 'number') return value > MAX_SAFE || value < -MAX_SAFE
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(hasInexactNumber)
  const object = value as JsonObject
  for (const key in object) {
    const field = object[key]
    if (typeof field === 'object' || typeof field === 'number') if (hasInexactNumber(field)) return true
  }
  return false
}

const MAX_SAFE = Number.MAX_SAFE_INTEGER

/** One field of a JSON object, every number of it as written once `JSON.stringify` writes it. */
export function exactField(objectJson: string, field: string): Json {
  return (parseExactJson(objectJson) as JsonObject)[field] ?? null
}
