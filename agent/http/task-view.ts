// How a task looks from outside: the fields of the API, made of the task message and of what this server knows of its claim.
import { parseExactJson } from '../../core/exact-json.ts'
import type { Json, TaskMessage } from '../../core/task.ts'
import type { Claim } from './claims.ts'
import type { TaskRecord, TaskStatus } from './task-records.ts'

export interface TaskView {
  readonly id: string
  readonly type: string | null
  readonly parameters: unknown
  readonly priority: string
  readonly created_at: string | null
  readonly claimed_by: string | null
  readonly claimed_at: string | null
  readonly status: TaskStatus
  readonly attempt: number
  readonly lease_expires_at: string | null
  readonly claim_id?: string
  readonly checkpoint?: Json
  readonly finished_at?: string | null
  readonly result?: unknown
  readonly error?: string
}

type Message = TaskMessage & { readonly created_at?: unknown }

export function viewOfClaim(claim: Claim): TaskView {
  const message = parsedMessage(claim.task.body)
  const checkpoint =
    claim.task.line === `${claim.task.body}\n` ? message.checkpoint : parsedMessage(claim.task.line).checkpoint
  return {
    ...viewOfMessage(claim.task.taskId, message),
    claimed_by: claim.workerId,
    claimed_at: instant(claim.claimedAtMs),
    status: 'claimed',
    lease_expires_at: instant(claim.leaseEndsMs),
    claim_id: claim.claimId,
    ...(checkpoint === undefined ? undefined : { checkpoint }),
  }
}

export function viewOfRecord({
  id,
  status,
  body,
  createdAtMs,
  claim,
  finishedAtMs,
  result,
  error,
}: TaskRecord): TaskView {
  const claimed = status === 'pending' ? undefined : claim
  return {
    ...viewOfMessage(id, parsedMessage(body)),
    ...(createdAtMs === undefined ? undefined : { created_at: instant(createdAtMs) }),
    claimed_by: claimed?.workerId ?? null,
    claimed_at: claimed === undefined ? null : instant(claimed.claimedAtMs),
    status,
    lease_expires_at: status === 'claimed' && claimed !== undefined ? instant(claimed.leaseEndsMs) : null,
    finished_at: finishedAtMs === undefined ? null : instant(finishedAtMs),
    ...(result === undefined ? undefined : { result: parseExactJson(result) }),
    ...(error === undefined ? undefined : { error }),
  }
}

/** undefined = the message has none. */
export function typeOf(body: string): string | undefined {
  if (!body.includes('"type"')) return undefined
  const { type } = parsedMessage(body)
  return typeof type === 'string' ? type : undefined
}

/** Tasks added through the API carry it; others do not know it. */
export function createdAtMsOf(body: string): number | undefined {
  if (!body.includes('"created_at"')) return undefined
  const { created_at: at } = parsedMessage(body)
  const ms = typeof at === 'string' ? Date.parse(at) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

function viewOfMessage(id: string, message: Message): TaskView {
  const { type, data, priority, created_at: createdAt, attempt } = message
  return {
    id,
    type: typeof type === 'string' ? type : null,
    parameters: data,
    priority: typeof priority === 'string' ? priority : 'normal',
    created_at: typeof createdAt === 'string' ? createdAt : null,
    claimed_by: null,
    claimed_at: null,
    status: 'pending',
    attempt: typeof attempt === 'number' && attempt >= 1 ? attempt : 1,
    lease_expires_at: null,
  }
}

/** Only bodies that were seen to be task messages come here. */
function parsedMessage(body: string): Message {
  return parseExactJson(body) as Message
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}
