// What agents tell the manager, as a union; and its JSON in the event queue, which the Python system reads and writes too.
import { type TaskId, taskId, type VmId, vmId } from './ids.ts'
import type { InterruptReason, Outcome, Usage } from './outcome.ts'
import type { Json } from './task.ts'

/** Fields that every event may carry. Only `timestamp` and `hostname` are known to the Python system. */
interface Origin {
  /** ISO-8601 in UTC with microseconds and `+00:00`, as the Python system writes it. */
  readonly timestamp: string
  readonly hostname: string
  readonly instanceId?: VmId
  /** Unique to one event: a second event with this id is a duplicate of the first. Absent from Python workers. */
  readonly eventId?: string
}

/** The end of one attempt. */
export interface AttemptEvent extends Origin, Omit<Usage, 'log'> {
  readonly kind: 'attempt'
  readonly taskId: TaskId
  readonly attempt: number
  /** Whether another attempt follows; null = no retry policy was set (acts as false). */
  readonly retry: boolean | null
  /** Out of budget: the task went to the dead-letter queue for this reason. */
  readonly deadLetter?: string
  /** The last lines that a failed attempt printed. */
  readonly logTail?: string
  /** Where more of them are. */
  readonly logUrl?: string
  readonly outcome: Outcome
}

export type TaskEvent =
  | AttemptEvent
  | (Origin & { readonly kind: 'keep_alive' })
  | (Origin & { readonly kind: 'spot_termination' })
  | (Origin & { readonly kind: 'non_fatal_exception'; readonly exception: string })
  | (Origin & { readonly kind: 'fatal_exception'; readonly exception: string })

/** One JSON line; key order as the Python system's, our own keys last. */
export function renderEvent(event: TaskEvent): string {
  const head = { timestamp: event.timestamp, hostname: event.hostname }
  const tail = { event_id: event.eventId, instance_id: event.instanceId }
  switch (event.kind) {
    case 'attempt':
      return JSON.stringify({
        ...head,
        event_type: EVENT_TYPE[event.outcome.kind],
        task_id: event.taskId,
        retry: event.retry,
        elapsed_time: event.elapsedSeconds,
        ...outcomeFields(event.outcome),
        attempt: event.attempt,
        dead_letter: event.deadLetter,
        cpu_seconds: event.cpuSeconds,
        max_rss_bytes: event.maxRssBytes,
        log_tail: event.logTail,
        log_url: event.logUrl,
        ...tail,
      })
    case 'keep_alive':
      return JSON.stringify({ ...head, event_type: event.kind, instance_id: event.instanceId ?? event.hostname })
    case 'spot_termination':
      return JSON.stringify({ ...head, event_type: event.kind, ...tail })
    default:
      return JSON.stringify({ ...head, event_type: event.kind, exception: event.exception, ...tail })
  }
}

/**
 * The fast path of `renderEvent` for a task that completed in its first go, byte for byte the same: most events are of
 * this kind, and their middle arrives from the task process as JSON already. `answer` is
 * `{"task_id":…,"retry":false,"elapsed_time":…,"result":…}` without spaces.
 */
export function completedEventRenderer(
  hostname: string,
  instanceId: VmId | undefined,
): (epochMs: number, answer: string, attempt: number, eventId: string) => string {
  const afterTime = `","hostname":${JSON.stringify(hostname)},"event_type":"${EVENT_TYPE.completed}",`
  const end = instanceId === undefined ? '"}' : `","instance_id":${JSON.stringify(instanceId)}}`
  let lastMs = -1
  let head = ''
  return (epochMs, answer, attempt, eventId) => {
    if (epochMs !== lastMs) {
      lastMs = epochMs
      head = `{"timestamp":"${eventTimestamp(epochMs)}${afterTime}`
    }
    return `${head}${answer.slice(1, -1)},"attempt":${attempt},"event_id":"${eventId}${end}`
  }
}

/**
 * Reads an event of ours or of the Python system. undefined = not an event we know (wrong JSON, unknown type, missing
 * fields): the caller keeps the raw text and goes on, because one odd message must not stop the collector.
 */
export function parseEvent(raw: string): TaskEvent | undefined {
  const fields = parseObject(raw)
  if (fields === undefined) return undefined
  const { timestamp, hostname, event_type: type } = fields
  if (typeof timestamp !== 'string' || typeof hostname !== 'string' || typeof type !== 'string') return undefined
  const origin: Origin = {
    timestamp,
    hostname,
    ...(typeof fields.instance_id === 'string' ? { instanceId: vmId(fields.instance_id) } : undefined),
    ...(typeof fields.event_id === 'string' ? { eventId: fields.event_id } : undefined),
  }
  if (type === 'keep_alive' || type === 'spot_termination') return { ...origin, kind: type }
  if (type === 'non_fatal_exception' || type === 'fatal_exception') {
    return { ...origin, kind: type, exception: String(fields.exception) }
  }
  const outcome = parseOutcome(type, fields)
  const id = fields.task_id
  if (outcome === undefined || typeof id !== 'string' || id === '') return undefined
  return {
    ...origin,
    kind: 'attempt',
    taskId: taskId(id),
    attempt: numberOr(fields.attempt, 1),
    retry: typeof fields.retry === 'boolean' ? fields.retry : null,
    outcome,
    elapsedSeconds: numberOr(fields.elapsed_time, 0),
    ...(typeof fields.dead_letter === 'string' ? { deadLetter: fields.dead_letter } : undefined),
    ...(typeof fields.cpu_seconds === 'number' ? { cpuSeconds: fields.cpu_seconds } : undefined),
    ...(typeof fields.max_rss_bytes === 'number' ? { maxRssBytes: fields.max_rss_bytes } : undefined),
    ...(typeof fields.log_tail === 'string' ? { logTail: fields.log_tail } : undefined),
    ...(typeof fields.log_url === 'string' ? { logUrl: fields.log_url } : undefined),
  }
}

/** Now, in the Python system's format. JavaScript knows milliseconds only, so the last three digits are zero. */
export function eventTimestamp(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, -1)}000+00:00`
}

const EVENT_TYPE = {
  completed: 'task_completed',
  exception: 'task_exception',
  timed_out: 'task_timed_out',
  exited: 'task_exited',
  interrupted: 'task_interrupted', // ours: programs that do not know it ignore it
} as const satisfies Record<Outcome['kind'], string>

function outcomeFields(outcome: Outcome): object {
  switch (outcome.kind) {
    case 'completed':
      return { result: outcome.result }
    case 'exception':
      return { exception: outcome.exception }
    case 'exited':
      return { exit_code: outcome.exitCode ?? null }
    case 'interrupted':
      return { reason: outcome.reason }
    default:
      return {}
  }
}

function parseOutcome(type: string, fields: Fields): Outcome | undefined {
  switch (type) {
    case EVENT_TYPE.completed:
      return { kind: 'completed', retry: fields.retry === true, result: fields.result ?? null }
    case EVENT_TYPE.exception:
      return { kind: 'exception', exception: typeof fields.exception === 'string' ? fields.exception : '' }
    case EVENT_TYPE.timed_out:
      return { kind: 'timed_out' }
    case EVENT_TYPE.exited:
      return { kind: 'exited', exitCode: typeof fields.exit_code === 'number' ? fields.exit_code : undefined }
    case EVENT_TYPE.interrupted: {
      const reason: InterruptReason = fields.reason === 'shutdown' ? 'shutdown' : 'preempted'
      return { kind: 'interrupted', reason }
    }
    default:
      return undefined
  }
}

type Fields = { readonly [key: string]: Json | undefined }

function parseObject(raw: string): Fields | undefined {
  let value: unknown
  try {
    value = JSON.parse(raw)
    if (typeof value === 'string') value = JSON.parse(value) // some Python writers encode twice
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined
}

function numberOr(value: Json | undefined, fallback: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : fallback
}
