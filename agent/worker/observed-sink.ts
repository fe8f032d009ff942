// Lets a worker's own program hear of each attempt, once it is stored and not before.
import { type AttemptEvent, parseEvent } from '../../core/task-event.ts'
import { SendError } from '../../infra/provider.ts'
import type { EventSink } from '../reporter.ts'

export function observedSink(sink: EventSink, hear: (event: AttemptEvent) => void): EventSink {
  return {
    async send(events) {
      let unsent: ReadonlySet<number> = new Set()
      try {
        await sink.send(events)
      } catch (error) {
        unsent = error instanceof SendError ? new Set(error.unsent) : new Set(events.keys())
        throw error
      } finally {
        for (const [index, text] of events.entries()) {
          const event = unsent.has(index) ? undefined : parseEvent(text)
          if (event?.kind === 'attempt') hear(event)
        }
      }
    },
  }
}
