// Ends claims: result first, ack second, and only then the answer to the worker, many at a time. A crash between any two of
// these repeats a task or an event, never loses one: the event's id belongs to the claim, so its double is known as one.
import { messageOf } from '../../core/errors.ts'
import type { Outcome } from '../../core/outcome.ts'
import { type OutgoingMessage, type Queue, SendError } from '../../infra/provider.ts'
import { type AttemptContext, attemptReport } from '../attempt-report.ts'
import type { EventSink, Report } from '../reporter.ts'
import type { Claim } from './claims.ts'
import { openGatherer } from './gatherer.ts'
import { unavailable } from './http-failure.ts'
import type { EndRecord, TaskRecords } from './task-records.ts'

export interface Settled {
  readonly status: EndRecord['status']
  /** Another attempt follows after so long. */
  readonly retryInSeconds: number | undefined
  readonly deadLetter: boolean
}

export interface Settlement {
  /** Rejects with an `HttpFailure` if the queue does not answer: then the claim lives on. */
  settle(claim: Claim, outcome: Outcome): Promise<Settled>
  idle(): Promise<void>
}

export interface SettlementOptions {
  readonly events: EventSink
  readonly tasks: Queue
  readonly deadLetters: Pick<Queue, 'send'>
  readonly context: AttemptContext
  readonly records: TaskRecords
  readonly remove: (claims: readonly Claim[]) => void
}

const MAX_BATCH = 1000

interface Ending {
  readonly claim: Claim
  readonly outcome: Outcome
  readonly report: Report
  problem?: unknown
}

export function openSettlement(options: SettlementOptions): Settlement {
  const { events, tasks, deadLetters, context, records, remove } = options
  const gatherer = openGatherer(settleAll, { maxBatch: MAX_BATCH })

  return {
    idle: gatherer.idle,
    async settle(claim, outcome) {
      claim.ending = true
      try {
        const report = await attemptReport(claim.task, outcome, usageOf(claim), contextOf(claim, outcome))
        return settledBy(await gatherer.add({ claim, outcome, report }), report)
      } catch (error) {
        claim.ending = false
        throw error
      }
    },
  }

  /** The ids of a completion and of a failure differ: a worker may say the one, not be answered, and say the other. */
  function contextOf(claim: Claim, { kind }: Outcome): AttemptContext {
    const { origin } = context
    const eventId = `${claim.claimId}-${kind}`
    return { ...context, origin: { ...origin, stamp: epochMs => ({ ...origin.stamp(epochMs), eventId }) } }
  }

  /** Answers what could not be done for each, or null. */
  async function settleAll(endings: readonly Ending[]): Promise<readonly { readonly problem: unknown }[]> {
    await sendAll(endings, 'event', some => events.send(some.map(({ report }) => report.event ?? '')))
    await sendAll(endings, 'successor', some => tasks.send(messages(some, 'successor')))
    await sendAll(endings, 'letter', some => deadLetters.send(messages(some, 'letter')))
    const sent = endings.filter(ending => ending.problem === undefined)
    if (sent.length > 0) {
      try {
        await tasks.ack(sent.map(({ claim }) => claim.task.receipt)) // lost ones: their results count all the same
        records.end(sent.map(endRecord))
        remove(sent.map(({ claim }) => claim))
      } catch (error) {
        for (const ending of sent) ending.problem = error
      }
    }
    return endings.map(({ problem }) => ({ problem }))
  }
}

function settledBy({ problem }: { readonly problem: unknown }, report: Report): Settled {
  if (problem !== undefined) throw unavailable(`The end could not be reported: ${messageOf(problem)}.`, problem)
  const { successor, letter } = report
  return {
    status: statusAfter(report),
    retryInSeconds: successor === undefined ? undefined : (successor.delaySeconds ?? 0),
    deadLetter: letter !== undefined,
  }
}

const EVENT_HEAD_CHARS = 300 // an event begins with its time, host and type

/** By the event, not by the outcome: a result that can be kept nowhere has become a failure. */
function statusAfter({ successor, event = '' }: Report): EndRecord['status'] {
  if (successor !== undefined) return 'pending'
  return event.slice(0, EVENT_HEAD_CHARS).includes('"event_type":"task_completed"') ? 'completed' : 'failed'
}

function endRecord({ claim, outcome, report }: Ending): EndRecord {
  return {
    id: claim.task.taskId,
    claimId: claim.claimId,
    status: statusAfter(report),
    result: outcome.kind === 'completed' ? JSON.stringify(outcome.result) : undefined,
    error: outcome.kind === 'exception' ? outcome.exception : undefined,
  }
}

function usageOf(claim: Claim): { readonly elapsedSeconds: number } {
  return { elapsedSeconds: Math.max(0, Date.now() - claim.claimedAtMs) / 1000 }
}

/** Sends what is there under `key`, and notes with each ending whose part was not accepted why. */
async function sendAll(
  endings: readonly Ending[],
  key: 'event' | 'successor' | 'letter',
  send: (some: readonly Ending[]) => Promise<void>,
): Promise<void> {
  const some = endings.filter(({ report, problem }) => report[key] !== undefined && problem === undefined)
  if (some.length === 0) return
  try {
    await send(some)
  } catch (error) {
    const unsent = error instanceof SendError ? error.unsent : some.keys()
    for (const index of unsent) {
      const ending = some[index]
      if (ending !== undefined) ending.problem = error
    }
  }
}

function messages(some: readonly Ending[], key: 'successor' | 'letter'): readonly OutgoingMessage[] {
  return some.flatMap(({ report }) => report[key] ?? [])
}
