// Reports how tasks ended, many at a time: whatever finished while the last report was on its way goes with the next.
// Result first, ack second: a crash between the two repeats a task, never loses one. Nothing is ever dropped: what is not
// accepted is tried again for as long as the agent lives.
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { OutgoingMessage, Queue } from '../infra/provider.ts'
import { SendError } from '../infra/provider.ts'
import type { HeldTask } from './held-task.ts'
import type { Log } from './log.ts'

const GATHER_SECONDS = 0.004 // a batch waits at most so long for company, unless the cloud knows better …
const GATHER_COUNT = 500 // … or until it has this many
const FULL_COUNT = 10_000
const FULL_CHARS = 64 * 1024 ** 2
const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 10_000

export interface Report {
  /** The message that is done with. */
  readonly task: HeldTask | undefined
  /** The event's JSON; cleared when accepted. */
  event: string | undefined
  /** What follows; cleared when accepted. */
  successor?: OutgoingMessage | undefined
  letter?: OutgoingMessage | undefined
}

export interface EventSink {
  /** As `Queue.send`: a `SendError` names what was not accepted. */
  send(events: readonly string[]): Promise<void>
}

export interface Reporter {
  add(report: Report): void
  /** Reports not yet accepted. */
  backlog(): number
  /** So many, or such long ones, that no more tasks should be started. */
  full(): boolean
  /** Resolves when all that was added is accepted and acked, or `signal` aborts. */
  drain(signal: AbortSignal): Promise<void>
}

export function openReporter({
  events,
  tasks,
  deadLetters,
  log,
  gatherSeconds = GATHER_SECONDS,
  heard,
}: {
  readonly events: EventSink
  readonly tasks: Queue
  readonly deadLetters: Pick<Queue, 'send'>
  readonly log: Log
  readonly gatherSeconds?: number | undefined
  /** Sees each report once, before it is sent. */
  readonly heard?: ((report: Report) => void) | undefined
}): Reporter {
  const gatherMs = gatherSeconds * 1000
  let pending: Report[] = []
  let inFlight = 0
  let chars = 0 // of what is pending or in flight
  let timer: NodeJS.Timeout | undefined
  let flushing: Promise<void> | undefined
  let backoffMs = 0
  const closing = new AbortController()

  const reporter: Reporter = {
    add(report) {
      heard?.(report)
      pending.push(report)
      chars += charsOf(report)
      if (pending.length >= GATHER_COUNT) flushNow()
      else if (timer === undefined && flushing === undefined) timer = setTimeout(flushNow, gatherMs)
    },
    backlog: () => pending.length + inFlight,
    full: () => pending.length + inFlight > FULL_COUNT || chars > FULL_CHARS,
    async drain(signal) {
      const giveUp = () => closing.abort()
      signal.addEventListener('abort', giveUp, { once: true })
      while (!signal.aborted && (pending.length > 0 || flushing !== undefined)) {
        flushNow()
        await Promise.race([flushing, aborted(signal)])
      }
      signal.removeEventListener('abort', giveUp)
    },
  }
  return reporter

  function flushNow(): void {
    clearTimeout(timer)
    timer = undefined
    if (flushing !== undefined || pending.length === 0) return
    flushing = flush().finally(() => {
      flushing = undefined
      if (pending.length >= GATHER_COUNT || backoffMs > 0) flushNow()
      else if (pending.length > 0) timer = setTimeout(flushNow, gatherMs)
    })
  }

  async function flush(): Promise<void> {
    const batch = pending
    pending = []
    inFlight = batch.length
    const batchChars = batch.reduce((sum, report) => sum + charsOf(report), 0)
    let problem = await sendAll(batch, 'event', bodies => events.send(bodies.map(({ event }) => event ?? '')))
    const heard = batch.filter(report => report.event === undefined)
    const rare = heard.filter(report => report.successor !== undefined || report.letter !== undefined)
    if (rare.length > 0) {
      problem =
        (await sendAll(rare, 'successor', reports => tasks.send(present(reports.map(r => r.successor))))) ?? problem
      problem =
        (await sendAll(rare, 'letter', reports => deadLetters.send(present(reports.map(r => r.letter))))) ?? problem
    }
    const done = heard.filter(report => report.successor === undefined && report.letter === undefined)
    problem = (await ack(done)) ?? problem
    inFlight = 0
    chars -= batchChars
    if (problem === undefined) {
      backoffMs = 0
      return
    }
    const again = batch.filter(isOpen)
    pending = again.concat(pending)
    for (const report of again) chars += charsOf(report)
    backoffMs = Math.min(Math.max(FIRST_BACKOFF_MS, backoffMs * 2), MAX_BACKOFF_MS)
    log.warning(`${pending.length} results are not reported yet, trying again in ${backoffMs / 1000} s: ${problem}`)
    await systemClock.sleep(backoffMs, closing.signal)
  }

  async function ack(done: readonly Report[]): Promise<string | undefined> {
    const held: HeldTask[] = []
    for (const { task } of done) if (task !== undefined) held.push(task)
    if (held.length === 0) return undefined
    try {
      await tasks.ack(held.map(task => task.receipt)) // lost ones are somebody else's: their event counts once all the same
    } catch (error) {
      return messageOf(error)
    }
    for (const task of held) task.settled = true
    return undefined
  }
}

function isOpen({ task, event }: Report): boolean {
  return task === undefined ? event !== undefined : !task.settled
}

function charsOf({ event, successor, letter }: Report): number {
  return (event?.length ?? 0) + (successor?.body.length ?? 0) + (letter?.body.length ?? 0)
}

/** Sends what is there under `key` and clears it where accepted. Returns what went wrong. */
async function sendAll(
  reports: readonly Report[],
  key: 'event' | 'successor' | 'letter',
  send: (some: readonly Report[]) => Promise<void>,
): Promise<string | undefined> {
  const some = reports.filter(report => report[key] !== undefined)
  if (some.length === 0) return undefined
  let unsent: ReadonlySet<Report> | undefined
  let problem: string | undefined
  try {
    await send(some)
  } catch (error) {
    problem = messageOf(error)
    unsent = error instanceof SendError ? new Set(error.unsent.flatMap(i => some[i] ?? [])) : new Set(some)
  }
  for (const report of some) if (unsent?.has(report) !== true) report[key] = undefined
  return problem
}

function present<T>(values: readonly (T | undefined)[]): readonly T[] {
  return values.filter(value => value !== undefined)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
