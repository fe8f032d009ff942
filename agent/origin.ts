// Who an event comes from, and its id: the agent's session and a counter of fixed width, so that ids sort.
import { hostname } from 'node:os'
import type { VmId } from '../core/ids.ts'
import { completedEventRenderer, eventTimestamp, renderEvent, type TaskEvent } from '../core/task-event.ts'

export interface EventOrigin {
  readonly instanceId: VmId | undefined
  /** Unique to this run of the agent. */
  readonly session: string
  nextEventId(): string
  stamp(epochMs: number): { timestamp: string; hostname: string; instanceId?: VmId; eventId: string }
  /** The event of a task that completed, from the answer of our runner. */
  completed(answer: string, attempt: number): string
  /** An event that is not about an attempt. */
  notice(
    event:
      | { readonly kind: 'spot_termination' | 'keep_alive' }
      | { readonly kind: 'non_fatal_exception' | 'fatal_exception'; readonly exception: string },
  ): string
}

const COUNTER_START = 1_000_000_000 // ten digits for any number of events

export function openOrigin(instanceId: VmId | undefined, session: string): EventOrigin {
  const host = hostname()
  const render = completedEventRenderer(host, instanceId)
  let counter = COUNTER_START
  const origin: EventOrigin = {
    instanceId,
    session,
    nextEventId: () => `${session}-${counter++}`,
    stamp: epochMs => ({
      timestamp: eventTimestamp(epochMs),
      hostname: host,
      ...(instanceId === undefined ? undefined : { instanceId }),
      eventId: origin.nextEventId(),
    }),
    completed: (answer, attempt) => render(Date.now(), answer, attempt, origin.nextEventId()),
    notice: event => renderEvent({ ...origin.stamp(Date.now()), ...event } satisfies TaskEvent),
  }
  return origin
}

/** Sorts by start; the random part tells agents of one millisecond apart. */
export function newSession(): string {
  const random = Math.floor(Math.random() * 36 ** 4)
  return `${Date.now().toString(36)}${random.toString(36).padStart(4, '0')}`
}
