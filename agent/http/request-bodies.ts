// What requests may say, once: parsed here, and described from here in the OpenAPI document. Unknown keys are ignored.
import { z } from 'zod'
import { PRIORITIES } from '../../core/task.ts'
import { HttpFailure } from './http-failure.ts'

const MAX_NAME_CHARS = 256
const MAX_TYPES = 100
const MAX_TASKS_AT_ONCE = 1000
const MAX_WAIT_SECONDS = 60
const MIN_LEASE_SECONDS = 1
const NO_CONTROL = /^\P{Cc}*$/u

const name = z.string().min(1).max(MAX_NAME_CHARS)
const leaseSeconds = z
  .number()
  .min(MIN_LEASE_SECONDS)
  .describe('How long the claim lasts without a heartbeat. Longer than the server allows is cut.')
const fence = {
  worker_id: name.optional().describe('If given, the claim must be this worker’s.'),
  claim_id: z.string().optional().describe('If given, the claim must be this one.'),
}
const trace = z.string().optional()

const claim = z.object({
  worker_id: name.describe('Who works on the task; any name.'),
  types: z.array(name).min(1).max(MAX_TYPES).optional().describe('Only tasks of these types.'),
  lease_seconds: leaseSeconds.optional(),
  wait_seconds: z
    .number()
    .min(0)
    .max(MAX_WAIT_SECONDS)
    .optional()
    .describe('How long to wait for a task when there is none.'),
})
const complete = z.object({ result: z.unknown().optional().describe('Any JSON; null if absent.'), ...fence })
const fail = z.object({
  error: z.string().describe('What went wrong, in a sentence.'),
  type: name.optional().describe('The kind of error, e.g. RATE_LIMIT.'),
  retryable: z
    .boolean()
    .optional()
    .describe('Whether another attempt can help; default: the setting --retry-on-exception.'),
  stack: trace,
  trace,
  traceback: trace,
  ...fence,
})
const heartbeat = z.object({
  lease_seconds: leaseSeconds.optional(),
  checkpoint: z.unknown().optional().describe('Handed to the next attempt if this one comes to nothing.'),
  ...fence,
})
const task = z.object({
  id: name.regex(NO_CONTROL).optional().describe('Unique among all tasks; made up if absent.'),
  type: name.optional(),
  parameters: z.record(z.string(), z.unknown()).optional().describe('An object; {} if absent.'),
  priority: z.enum(PRIORITIES).optional(),
  not_before: z.iso.datetime({ offset: true }).optional().describe('Not to be claimed before.'),
})
const create = z.union([task, z.object({ tasks: z.array(task).min(1).max(MAX_TASKS_AT_ONCE) })])

export const REQUEST_BODIES = { claim, complete, fail, heartbeat, task, create } as const

export type ClaimBody = z.infer<typeof claim>
export type FailBody = z.infer<typeof fail>
export type TaskBody = z.infer<typeof task>
export interface FenceBody {
  readonly worker_id?: string | undefined
  readonly claim_id?: string | undefined
}

export function parseBody<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = issue === undefined || issue.path.length === 0 ? 'The body' : `"${issue.path.join('.')}"`
  throw new HttpFailure(400, 'bad_request', `${where} is not right: ${issue?.message ?? 'see /openapi.json'}.`)
}

/** `tasks` decides which of the two shapes it is, so that the message names what is wrong in it. */
export function parseNewTasks(value: unknown): { readonly many: boolean; readonly tasks: readonly TaskBody[] } {
  if (typeof value === 'object' && value !== null && 'tasks' in value) {
    return { many: true, tasks: parseBody(create.options[1], value).tasks }
  }
  return { many: false, tasks: [parseBody(task, value)] }
}

/** Python, PHP and JavaScript put the message at different ends of their traces; the first or last line should tell. */
export function exceptionText({ error, type, stack, trace, traceback }: FailBody): string {
  const head = type === undefined ? error : `${type}: ${error}`
  const text = (stack ?? trace ?? traceback ?? '').trimEnd()
  if (text === '') return head
  if (type === undefined && error !== '' && text.includes(error)) return text
  return /^\s+at /m.test(text) ? `${head}\n${text}` : `${text}\n${head}`
}
