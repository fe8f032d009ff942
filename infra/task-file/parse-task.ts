// Checks one item of a task file and makes a Task of it. Knows nothing of file formats.
import { UserError } from '../../core/errors.ts'
import { taskId } from '../../core/ids.ts'
import { type JsonObject, PRIORITIES, type Priority, type Task } from '../../core/task.ts'
import { exactField, hasInexactNumber } from './exact-numbers.ts'
import type { ItemLocation } from './read-task-file.ts'

export interface ItemSource {
  readonly fileName: string
  locate(): ItemLocation
}

export function parseTask(item: unknown, source: ItemSource): Task {
  if (!isObject(item)) throw wrong(item, source, `must be an object with "task_id" and "data", got ${show(item)}`)
  const { task_id: id, data } = item
  if (typeof id !== 'string' || id === '') throw wrong(item, source, complainAboutId(item))
  if (id.includes('\u0000') || !id.isWellFormed()) {
    throw wrong(item, source, '"task_id" holds a character that cannot be stored (U+0000 or half a surrogate pair)')
  }
  if (!isObject(data)) throw wrong(item, source, `"data" must be an object, ${got(data)}`)
  const task = { taskId: taskId(id), data: exactData(data, source, item) }
  if (item.priority === undefined && item.type === undefined && item.not_before === undefined) return task
  return { ...task, ...optionalFields(item, source) }
}

type Optional = Pick<Task, 'priority' | 'type' | 'notBeforeAt'>

function optionalFields(item: JsonObject, source: ItemSource): Optional {
  const { priority, type, not_before: notBefore } = item
  if (priority !== undefined && !isPriority(priority)) {
    throw wrong(item, source, `"priority" must be ${PRIORITIES.join(', ')}, ${got(priority)}`)
  }
  if (type !== undefined && typeof type !== 'string') throw wrong(item, source, `"type" must be a text, ${got(type)}`)
  const notBeforeAt = notBefore === undefined ? undefined : parseInstant(notBefore)
  if (notBefore !== undefined && notBeforeAt === undefined) {
    throw wrong(item, source, `"not_before" must be a time such as "2030-01-31T12:00:00Z", ${got(notBefore)}`)
  }
  return {
    ...(priority === undefined ? undefined : { priority }),
    ...(type === undefined ? undefined : { type }),
    ...(notBeforeAt === undefined ? undefined : { notBeforeAt }),
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isPriority(value: unknown): value is Priority {
  return PRIORITIES.some(priority => priority === value)
}

const INSTANT = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?Z|[+-]\d\d:?\d\d)?)?$/i

/** ISO-8601; a time without a zone is UTC, as everywhere in the Python system. */
function parseInstant(value: unknown): Date | undefined {
  const match = typeof value === 'string' ? INSTANT.exec(value) : null
  if (match === null) return undefined
  const text = match[0]
    .toUpperCase()
    .replace(/ (?=Z)/, '')
    .replace(' ', 'T')
  const instant = new Date(match[1] === undefined || match[4] !== undefined ? text : `${text}Z`)
  return Number.isNaN(instant.getTime()) ? undefined : instant
}

function complainAboutId(item: JsonObject): string {
  if (item.task_id === '') return '"task_id" is empty. Give each task a name of its own'
  if (item.task_id !== undefined) return `"task_id" must be a text, ${got(item.task_id)}. Put it in quotes`
  if (item.id !== undefined) return '"task_id" is missing. Rename the key "id" to "task_id"'
  return '"task_id" is missing'
}

/** The one sentence that a person reads: which task, in which file and line, what is wrong. */
function wrong(item: unknown, source: ItemSource, complaint: string): UserError {
  const id = isObject(item) && typeof item.task_id === 'string' && item.task_id !== '' ? ` ${show(item.task_id)}` : ''
  return new UserError(`Task${id} (${source.fileName} line ${source.locate().line}): ${complaint}.`)
}

function got(value: unknown): string {
  return value === undefined ? 'but it is missing' : `got ${show(value)}`
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

function exactData(data: JsonObject, source: ItemSource, item: unknown): JsonObject {
  try {
    if (!hasInexactNumber(data)) return data
  } catch (error) {
    if (error instanceof RangeError) throw wrong(item, source, '"data" is nested too deeply')
    throw error
  }
  const { json } = source.locate()
  const exact = json === undefined ? data : exactField(json, 'data')
  return isObject(exact) ? exact : data
}
