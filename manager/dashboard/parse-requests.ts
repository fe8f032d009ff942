// Reads what a request asks for, and says in a sentence what is wrong with it.
import { UserError } from '../../core/errors.ts'
import { FINAL_STATUSES, TASK_STATUSES, UNFINISHED_STATUSES } from '../job-db-status.ts'
import type { ControlRequest, TaskSort } from './api.ts'
import { type Cursor, parseCursor } from './find-tasks.ts'

/** Answered with 400. */
export class BadRequest extends UserError {}

export interface TasksQuery {
  readonly statuses: readonly string[]
  readonly exception?: string
  readonly vm?: string
  readonly search?: string
  readonly sort: TaskSort
  readonly descending: boolean
  readonly limit: number
  readonly after?: Cursor
}

const TASK_SORTS: readonly TaskSort[] = ['order', 'elapsed', 'ended', 'attempts']
const MOST_ROWS = 500
const MOST_POINTS = 2000
/** Beside the statuses themselves. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  unfinished: UNFINISHED_STATUSES,
  failures: FINAL_STATUSES.filter(status => status !== 'completed'),
}

type Query = (name: string) => string | undefined

export function parseTasksQuery(query: Query): TasksQuery {
  const [exception, vm, search] = [text(query, 'exception'), text(query, 'vm'), text(query, 'search')]
  const after = text(query, 'after')
  const cursor = after === undefined ? undefined : parseCursor(after)
  if (after !== undefined && cursor === undefined) throw new BadRequest('"after" is not a cursor of this server.')
  return {
    statuses: (text(query, 'status')?.split(',') ?? []).flatMap(parseStatus),
    sort: choice(query, 'sort', TASK_SORTS) ?? 'order',
    descending: choice(query, 'dir', ['asc', 'desc']) === 'desc',
    limit: Math.round(number(query, 'limit', { least: 1, most: MOST_ROWS }) ?? 100),
    ...(exception === undefined ? undefined : { exception }),
    ...(vm === undefined ? undefined : { vm }),
    ...(search === undefined ? undefined : { search }),
    ...(cursor === undefined ? undefined : { after: cursor }),
  }
}

function parseStatus(name: string): readonly string[] {
  const group = GROUPS[name]
  if (group !== undefined) return group
  if (TASK_STATUSES.some(status => status === name)) return [name]
  throw new BadRequest(`"status" ${JSON.stringify(name)} is none: ${TASK_STATUSES.join(', ')}.`)
}

export interface RangeQuery {
  readonly fromS?: number
  readonly toS?: number
  readonly points: number
}

export function parseRange(query: Query): RangeQuery {
  const any = { least: 0, most: 1e11 }
  const [fromS, toS] = [number(query, 'from', any), number(query, 'to', any)]
  if (fromS !== undefined && toS !== undefined && toS <= fromS) throw new BadRequest('"to" must be after "from".')
  return {
    points: Math.round(number(query, 'points', { least: 10, most: MOST_POINTS }) ?? 300),
    ...(fromS === undefined ? undefined : { fromS }),
    ...(toS === undefined ? undefined : { toS }),
  }
}

const SIMPLE = ['pause', 'resume', 'stop', 'requeue'] as const

export function parseControlRequest(body: string): ControlRequest {
  const fields = parseObject(body)
  const action = SIMPLE.find(name => name === fields.action)
  if (action !== undefined) return { action }
  if (fields.action !== 'limits') {
    throw new BadRequest(`"action" ${JSON.stringify(fields.action)} is none: ${SIMPLE.join(', ')}, limits.`)
  }
  const { maxInstances, maxTotalCostUsd } = fields
  if (maxInstances === undefined && maxTotalCostUsd === undefined) {
    throw new BadRequest('Which limit? Give "maxInstances" or "maxTotalCostUsd".')
  }
  return {
    action: 'limits',
    ...(maxInstances === undefined
      ? undefined
      : { maxInstances: limit('maxInstances', maxInstances, Number.isSafeInteger) }),
    ...(maxTotalCostUsd === undefined
      ? undefined
      : { maxTotalCostUsd: limit('maxTotalCostUsd', maxTotalCostUsd, Number.isFinite) }),
  }
}

const MOST_LIMIT = 1_000_000

function limit(name: string, value: unknown, valid: (value: unknown) => boolean): number {
  if (typeof value === 'number' && valid(value) && value > 0 && value <= MOST_LIMIT) return value
  throw new BadRequest(`"${name}" must be a number above 0, got ${JSON.stringify(value)}.`)
}

function parseObject(body: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>
  throw new BadRequest('The order must be a JSON object with an "action".')
}

/** undefined if it is absent or empty. */
function text(query: Query, name: string): string | undefined {
  return query(name) || undefined
}

function choice<Choice extends string>(query: Query, name: string, choices: readonly Choice[]): Choice | undefined {
  const given = text(query, name)
  if (given === undefined) return undefined
  const found = choices.find(known => known === given)
  if (found === undefined) throw new BadRequest(`"${name}" must be one of ${choices.join(', ')}.`)
  return found
}

function number(
  query: Query,
  name: string,
  { least, most }: { readonly least: number; readonly most: number },
): number | undefined {
  const given = text(query, name)
  if (given === undefined) return undefined
  const value = Number(given)
  if (value >= least && value <= most) return value
  throw new BadRequest(`"${name}" must be a number from ${least} to ${most}, got ${JSON.stringify(given)}.`)
}
