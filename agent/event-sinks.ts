// Where events go: the event queue, a log file, both, or nowhere.
import { openSync, writeSync } from 'node:fs'
import { messageOf, UserError } from '../core/errors.ts'
import { type Queue, SendError } from '../infra/provider.ts'
import type { EventSink } from './reporter.ts'

export function queueSink(queue: Queue): EventSink {
  return { send: events => queue.send(events.map(body => ({ body }))) }
}

export function fileSink(file: string): EventSink {
  let descriptor: number
  try {
    descriptor = openSync(file, 'a')
  } catch (error) {
    throw new UserError(`Event log file ${file} cannot be opened: ${messageOf(error)}.`)
  }
  let torn = false // a full disk has cut a line: the next one must not go on with it
  return {
    async send(events) {
      const bytes = Buffer.from(`${torn ? '\n' : ''}${events.join('\n')}\n`)
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at)
        torn = false
      } catch (error) {
        torn = true
        throw new Error(`Event log file ${file} cannot be written: ${messageOf(error)}.`)
      }
    },
  }
}

/** What one of them has not accepted is sent to both again: an event id makes the second one a duplicate. */
export function bothSinks(first: EventSink, second: EventSink): EventSink {
  return {
    async send(events) {
      const results = await Promise.allSettled([first.send(events), second.send(events)])
      const failures = results.flatMap(result => (result.status === 'rejected' ? [result.reason] : []))
      if (failures.length === 0) return
      const unsent = new Set(
        failures.flatMap(failure => (failure instanceof SendError ? failure.unsent : events.map((_, i) => i))),
      )
      throw new SendError(failures.map(messageOf).join(' '), { unsent: [...unsent] })
    },
  }
}

export const noSink: EventSink = { send: async () => {} }
