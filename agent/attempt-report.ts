// What is to be said and sent when an attempt has ended in any way but the plainest. Fits everything into the queue's
// body limit: what is too long goes to the object store and is referenced. Sends nothing itself.
import { messageOf } from '../core/errors.ts'
import type { TaskId } from '../core/ids.ts'
import type { Outcome, Usage } from '../core/outcome.ts'
import { attemptOf, type Decision, decideRetry, type RetryPolicy } from '../core/retry.ts'
import { fittedBody, type Json, type TaskMessage } from '../core/task.ts'
import { type AttemptEvent, eventTimestamp, renderEvent } from '../core/task-event.ts'
import type { Objects, OutgoingMessage } from '../infra/provider.ts'
import { type HeldTask, parsedMessage } from './held-task.ts'
import type { EventOrigin } from './origin.ts'
import type { Report } from './reporter.ts'

export interface AttemptContext {
  readonly origin: EventOrigin
  readonly policy: RetryPolicy
  readonly maxBodyBytes: number
  readonly maxDelaySeconds: number
  readonly releasesCount?: boolean
  /** Absent without a provider: then what is too long for a message cannot occur. */
  readonly objects: Objects | undefined
}

export async function attemptReport(
  task: HeldTask,
  outcome: Outcome,
  { log, ...usage }: Usage,
  context: AttemptContext,
): Promise<Report> {
  const { origin, policy, maxBodyBytes } = context
  const message = parsedMessage(task.body)
  const nowMs = Date.now()
  const at = eventTimestamp(nowMs)
  const checkpoint =
    task.savedCheckpoint === undefined ? undefined : await carriedCheckpoint(task, task.savedCheckpoint, context)
  const decision = decideRetry(
    {
      message,
      outcome,
      at,
      ...(origin.instanceId === undefined ? undefined : { instance: origin.instanceId }),
      ...(checkpoint === undefined ? undefined : { checkpoint }),
    },
    policy,
  )
  const event: AttemptEvent = {
    kind: 'attempt',
    ...origin.stamp(nowMs),
    taskId: task.taskId,
    attempt: attemptOf(message),
    retry: retryOf(decision),
    ...(decision.kind === 'dead' ? { deadLetter: decision.reason } : undefined),
    outcome,
    ...usage,
    ...(await carriedLog(task, log, context)),
  }
  const body = renderEvent(event)
  if (Buffer.byteLength(body) > maxBodyBytes) {
    const smaller = await spilled(event, outcome, context)
    // Not storable: the attempt ends in an exception instead, so that the decision is another one.
    if (typeof smaller !== 'string') return attemptReport(task, smaller, usage, context)
    return { task, event: smaller, ...follow(task, message, decision, context) }
  }
  return { task, event: body, ...follow(task, message, decision, context) }
}

/** A message that was handed out again and again without any attempt having reported: it kills whoever takes it. */
export function quarantineReport(task: HeldTask, context: AttemptContext): Report {
  const { origin } = context
  const message = parsedMessage(task.body)
  const reason = `handed out ${task.deliveryCount} times without any attempt having reported`
  const nowMs = Date.now()
  const note = { attempt: task.attempt, reason, at: eventTimestamp(nowMs) }
  const letter: TaskMessage = { ...message, history: [...(message.history ?? []), note] }
  const event = renderEvent({
    kind: 'attempt',
    ...origin.stamp(nowMs),
    taskId: task.taskId,
    attempt: task.attempt,
    retry: false,
    deadLetter: reason,
    outcome: { kind: 'exited', exitCode: undefined },
    elapsedSeconds: 0,
  })
  return { task, event, letter: outgoing(letter, task.taskId, context, 0) }
}

/** `{"checkpoint_url": …}` in a message stands for a checkpoint in the object store. */
export function checkpointUrl(checkpoint: Json | undefined): string | undefined {
  if (typeof checkpoint !== 'object' || checkpoint === null || !('checkpoint_url' in checkpoint)) return undefined
  return typeof checkpoint.checkpoint_url === 'string' ? checkpoint.checkpoint_url : undefined
}

function retryOf(decision: Decision): boolean | null {
  return decision.kind === 'again' ? true : decision.kind === 'dead' ? false : decision.retry
}

function follow(task: HeldTask, message: TaskMessage, decision: Decision, context: AttemptContext): Partial<Report> {
  // A lost message is in somebody else's hands already: a successor would double the task.
  if (task.lost || decision.kind === 'final') return {}
  const { priority } = message
  const more = priority === undefined ? undefined : { priority }
  if (decision.kind === 'dead') return { letter: { ...outgoing(decision.letter, task.taskId, context, 0), ...more } }
  const delaySeconds = Math.min(decision.delaySeconds, context.maxDelaySeconds)
  return { successor: { ...outgoing(decision.successor, task.taskId, context, delaySeconds), ...more } }
}

function outgoing(
  message: TaskMessage,
  taskId: TaskId,
  { maxBodyBytes }: AttemptContext,
  delaySeconds: number,
): OutgoingMessage {
  return { body: fittedBody(message, maxBodyBytes), taskId, ...(delaySeconds > 0 ? { delaySeconds } : undefined) }
}

const TRUNCATED = '\n… (truncated) …\n'

/** The event's JSON with its long part elsewhere; an outcome = there is no elsewhere, and this is what happened instead. */
async function spilled(event: AttemptEvent, outcome: Outcome, context: AttemptContext): Promise<string | Outcome> {
  const { maxBodyBytes, origin } = context
  if (outcome.kind === 'exception') {
    const half = Math.floor(maxBodyBytes / 16) // a character can take six bytes in JSON
    const { exception } = outcome
    const shorter = exception.slice(0, half) + TRUNCATED + exception.slice(-half)
    return renderEvent({ ...event, outcome: { ...outcome, exception: shorter } })
  }
  if (outcome.kind !== 'completed') throw new Error(`Event of task "${event.taskId}" is too long for the queue.`)
  const result = Buffer.from(JSON.stringify(outcome.result))
  const what = `The result of task "${event.taskId}" has ${result.length} bytes, over the queue's limit of ${maxBodyBytes} for an event`
  if (context.objects === undefined)
    return { kind: 'exception', exception: `${what}, and there is no object store.`, retryable: false }
  try {
    const key = `results/${encodeURIComponent(event.taskId)}/${origin.session}-${event.attempt}.json`
    const url = await context.objects.write(key, result)
    return renderEvent({ ...event, outcome: { ...outcome, result: { result_url: url, bytes: result.length } } })
  } catch (error) {
    return {
      kind: 'exception',
      exception: `${what}, and it could not be stored: ${messageOf(error)}`,
      retryable: false,
    }
  }
}

const LOG_TAIL_CHARS = 4000

/** The end of what was printed; all that was kept of it goes to the object store, where there is one. */
async function carriedLog(
  task: HeldTask,
  log: string | undefined,
  { objects, origin }: AttemptContext,
): Promise<Pick<AttemptEvent, 'logTail' | 'logUrl'>> {
  if (log === undefined) return {}
  if (log.length <= LOG_TAIL_CHARS) return { logTail: log }
  const logTail = log.slice(-LOG_TAIL_CHARS).replace(/^[^\n]*\n(?=.)/s, '') // whole lines
  const key = `logs/${encodeURIComponent(task.taskId)}/${origin.session}-${task.attempt}.txt`
  return objects === undefined
    ? { logTail }
    : objects.write(key, Buffer.from(log)).then(
        logUrl => ({ logTail, logUrl }),
        () => ({ logTail }),
      )
}

const CHECKPOINT_SHARE = 0.25 // of a body: the rest is for data and history

/** The checkpoint itself, a reference to it, or nothing if it cannot be kept: then the next attempt starts afresh. */
async function carriedCheckpoint(
  task: HeldTask,
  checkpoint: Json,
  { maxBodyBytes, objects, origin }: AttemptContext,
): Promise<Json | undefined> {
  const bytes = Buffer.from(JSON.stringify(checkpoint))
  if (bytes.length <= maxBodyBytes * CHECKPOINT_SHARE) return checkpoint
  if (objects === undefined) return undefined
  const key = `checkpoints/${encodeURIComponent(task.taskId)}/${origin.session}-${task.attempt}.json`
  return objects.write(key, bytes).then(
    url => ({ checkpoint_url: url }),
    () => undefined,
  )
}
