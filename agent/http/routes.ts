// Which request is which, with the status and the shape of its answer: the server follows this table and the OpenAPI document
// is written from it.
import { HttpFailure } from './http-failure.ts'
import type { REQUEST_BODIES } from './request-bodies.ts'

export interface Route {
  readonly name: RouteName
  readonly method: 'GET' | 'POST'
  /** `{id}` stands for one segment. */
  readonly path: string
  /** Anybody may ask. */
  readonly open?: true
  readonly body?: keyof typeof REQUEST_BODIES
  readonly status: number
  readonly answer: AnswerName
  readonly refusals: readonly number[]
  readonly doc: string
}
export type RouteName =
  | 'claim'
  | 'complete'
  | 'fail'
  | 'heartbeat'
  | 'create'
  | 'list'
  | 'show'
  | 'health'
  | 'metrics'
  | 'openapi'
export type AnswerName =
  | 'TaskAnswer'
  | 'TasksAnswer'
  | 'CreatedAnswer'
  | 'EndAnswer'
  | 'HealthAnswer'
  | 'Text'
  | 'Document'

const ALWAYS = [400, 401, 503]
const OF_A_CLAIM = [...ALWAYS, 403, 404, 409, 413]

export const ROUTES: readonly Route[] = [
  {
    name: 'claim',
    method: 'POST',
    path: '/tasks/claim',
    body: 'claim',
    status: 200,
    answer: 'TaskAnswer',
    refusals: [...ALWAYS, 404, 413],
    doc: 'Takes the next task. 404: there is none.',
  },
  {
    name: 'complete',
    method: 'POST',
    path: '/tasks/{id}/complete',
    body: 'complete',
    status: 200,
    answer: 'EndAnswer',
    refusals: OF_A_CLAIM,
    doc: 'The task is done. Twice is as once. 409: the claim is over.',
  },
  {
    name: 'fail',
    method: 'POST',
    path: '/tasks/{id}/fail',
    body: 'fail',
    status: 200,
    answer: 'EndAnswer',
    refusals: OF_A_CLAIM,
    doc: 'The attempt failed. Tried again later if `retryable`, until the attempts are used up.',
  },
  {
    name: 'heartbeat',
    method: 'POST',
    path: '/tasks/{id}/heartbeat',
    body: 'heartbeat',
    status: 200,
    answer: 'TaskAnswer',
    refusals: OF_A_CLAIM,
    doc: 'Starts the lease of the claim anew, and may save a checkpoint.',
  },
  {
    name: 'create',
    method: 'POST',
    path: '/tasks',
    body: 'create',
    status: 201,
    answer: 'CreatedAnswer',
    refusals: [...ALWAYS, 409, 413],
    doc: 'Adds a task, or many as `tasks`.',
  },
  {
    name: 'list',
    method: 'GET',
    path: '/tasks',
    status: 200,
    answer: 'TasksAnswer',
    refusals: ALWAYS,
    doc: 'The tasks that were added, claimed or ended through this server, newest first, and the depth of the queue.',
  },
  {
    name: 'show',
    method: 'GET',
    path: '/tasks/{id}',
    status: 200,
    answer: 'TaskAnswer',
    refusals: [...ALWAYS, 404],
    doc: 'One task, with its result where it is short.',
  },
  {
    name: 'health',
    method: 'GET',
    path: '/health',
    open: true,
    status: 200,
    answer: 'HealthAnswer',
    refusals: [],
    doc: 'Whether the queue answers; 503 with the same fields if it does not.',
  },
  {
    name: 'metrics',
    method: 'GET',
    path: '/metrics',
    status: 200,
    answer: 'Text',
    refusals: [401],
    doc: 'Counters and gauges in the text format of Prometheus.',
  },
  {
    name: 'openapi',
    method: 'GET',
    path: '/openapi.json',
    open: true,
    status: 200,
    answer: 'Document',
    refusals: [],
    doc: 'This document.',
  },
]

export const BASE_PATH = '/v1'
const MAX_URL_CHARS = 4096

export interface Matched {
  readonly route: Route
  /** Of the task, where the path has one. */
  readonly id: string
  readonly query: URLSearchParams
}

const PATTERNS = ROUTES.map(route => ({ route, segments: route.path.split('/').slice(1) }))

/** Segments are compared as they are written and the id is decoded once: `..`, `//` and the like lead nowhere. */
export function matchRoute(method: string, url: string): Matched {
  if (url.length > MAX_URL_CHARS) throw new HttpFailure(414, 'uri_too_long', 'The address is too long.')
  const mark = url.indexOf('?')
  const path = mark === -1 ? url : url.slice(0, mark)
  const given = path.split('/').slice(path.startsWith(`${BASE_PATH}/`) ? 2 : 1)
  const fitting = PATTERNS.filter(({ segments }) => fits(segments, given))
  const [first] = fitting
  if (first === undefined || !path.startsWith('/')) {
    throw new HttpFailure(404, 'not_found', 'There is nothing at this address: see /openapi.json.')
  }
  const found = fitting.find(({ route }) => route.method === method)
  if (found === undefined) {
    const allow = fitting.map(({ route }) => route.method).join(', ')
    throw new HttpFailure(405, 'method_not_allowed', `This address takes ${allow} only.`, { headers: { allow } })
  }
  const encodedId = given[found.segments.indexOf('{id}')]
  return {
    route: found.route,
    id: encodedId === undefined ? '' : decodedId(encodedId),
    query: new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1)),
  }
}

function fits(pattern: readonly string[], given: readonly string[]): boolean {
  return (
    pattern.length === given.length &&
    pattern.every((segment, index) => (segment === '{id}' ? given[index] !== '' : segment === given[index]))
  )
}

function decodedId(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    throw new HttpFailure(400, 'bad_request', 'The task id in the address is not UTF-8.')
  }
}
