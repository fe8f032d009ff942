// The OpenAPI 3.1 document, written from the table of routes and the schemas that requests are parsed with.
import { z } from 'zod'
import { PRIORITIES } from '../../core/task.ts'
import { REQUEST_BODIES } from './request-bodies.ts'
import { type AnswerName, ROUTES, type Route } from './routes.ts'

const text = { type: 'string' }
const instant = { type: ['string', 'null'], format: 'date-time' }
const orNull = (type: string) => ({ type: [type, 'null'] })
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })
const STATUS = { type: 'string', enum: ['pending', 'claimed', 'completed', 'failed'] }

const TASK = object(
  {
    id: text,
    type: orNull('string'),
    parameters: { type: 'object' },
    priority: { type: 'string', enum: PRIORITIES },
    created_at: { ...instant, description: 'Known of tasks added through the API.' },
    claimed_by: orNull('string'),
    claimed_at: instant,
    status: STATUS,
    attempt: { type: 'integer', minimum: 1 },
    lease_expires_at: instant,
    claim_id: text,
    checkpoint: { description: 'What an earlier attempt saved.' },
    finished_at: instant,
    result: { description: 'Any JSON; absent if it is long.' },
    error: text,
  },
  ['claim_id', 'checkpoint', 'finished_at', 'result', 'error'],
)

const ANSWERS: Readonly<Record<Exclude<AnswerName, 'Text' | 'Document'>, object>> = {
  TaskAnswer: object({ task: ref('Task') }),
  TasksAnswer: object({
    tasks: { type: 'array', items: ref('Task') },
    next_cursor: { ...orNull('string'), description: 'The `cursor` of the next page.' },
    queue: { oneOf: [ref('QueueDepth'), { type: 'null' }] },
  }),
  CreatedAnswer: { oneOf: [object({ task: ref('Task') }), object({ tasks: { type: 'array', items: ref('Task') } })] },
  EndAnswer: object({
    id: text,
    status: STATUS,
    will_retry: { type: 'boolean' },
    retry_in_seconds: orNull('number'),
    dead_letter: { type: 'boolean' },
  }),
  HealthAnswer: object({
    status: { type: 'string', enum: ['healthy', 'unhealthy'] },
    uptime: { type: 'number', description: 'Seconds.' },
    tasks_processed: { type: 'integer' },
    last_task_at: instant,
  }),
}

const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The request is not right.',
  401: 'No API key, or a wrong one.',
  403: 'The claim is another user’s.',
  404: 'There is no such task, or none to claim.',
  409: 'The claim is over, the task has ended, or its id exists.',
  413: 'The body is too long.',
  503: 'The queue does not answer: send the request again.',
}

export function openApiDocument(basePath: string): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of ROUTES)
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route) }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Cloud Tasks HTTP API',
      version: '1.0.0',
      description: 'Lets workers in any language claim the tasks of a queue and report how they ended.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: basePath }, { url: '/' }],
    paths,
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
      schemas: {
        ...Object.fromEntries(
          Object.entries(REQUEST_BODIES).map(([name, schema]) => [bodyName(name), schemaOf(schema)]),
        ),
        ...ANSWERS,
        Task: TASK,
        QueueDepth: object({
          ready: { type: 'integer' },
          leased: { type: 'integer' },
          delayed: { type: 'integer' },
          estimated: { type: 'boolean' },
        }),
        Failure: object({ error: { ...text, description: 'A sentence.' }, code: text }),
      },
    },
  }
}

function operation(route: Route): object {
  const { name, path, body, status, answer, refusals, open, doc } = route
  const parameters = [...(path.includes('{id}') ? [pathId] : []), ...(name === 'list' ? pageParameters : [])]
  return {
    operationId: name,
    summary: doc,
    ...(open ? { security: [] } : { security: [{ key: [] }] }),
    ...(parameters.length > 0 ? { parameters } : undefined),
    ...(body === undefined
      ? undefined
      : { requestBody: { required: body !== 'heartbeat', content: json(ref(bodyName(body))) } }),
    responses: {
      [status]: { description: doc, content: content(answer) },
      ...Object.fromEntries(
        refusals.map(code => [code, { description: REFUSALS[code] ?? '', content: json(ref('Failure')) }]),
      ),
      ...(name === 'health' ? { 503: { description: 'The queue does not answer.', content: json(ref(answer)) } } : {}),
    },
  }
}

const pathId = { name: 'id', in: 'path', required: true, schema: text }
const pageParameters = [
  { name: 'status', in: 'query', schema: STATUS },
  { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 500, default: 50 } },
  { name: 'cursor', in: 'query', schema: text },
]

function content(answer: AnswerName): object {
  if (answer === 'Text') return { 'text/plain': { schema: text } }
  return json(answer === 'Document' ? { type: 'object' } : ref(answer))
}

function json(schema: object): object {
  return { 'application/json': { schema } }
}

function object(properties: Readonly<Record<string, object>>, optional: readonly string[] = []): object {
  const required = Object.keys(properties).filter(name => !optional.includes(name))
  return { type: 'object', properties, required }
}

function schemaOf(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' })
  return rest
}

function bodyName(name: string): string {
  return `${name[0]?.toUpperCase()}${name.slice(1)}Body`
}
