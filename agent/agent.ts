// The agent: takes tasks from a queue into slots and reports how each ended, until something makes it stop.
// Owns the order of stopping; leaves receiving, running, leases and reporting to the files named after them.
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { InterruptReason, Outcome, Usage } from '../core/outcome.ts'
import type { AgentSettings } from '../core/settings.ts'
import type { Json } from '../core/task.ts'
import type { Delivery, Objects, ProviderLimits, Queue } from '../infra/provider.ts'
import { type AttemptContext, attemptReport, checkpointUrl, quarantineReport } from './attempt-report.ts'
import { type HeldTask, holdTask } from './held-task.ts'
import { openInbox } from './inbox.ts'
import { openLeaseKeeper } from './lease-keeper.ts'
import type { Log } from './log.ts'
import type { EventOrigin } from './origin.ts'
import { killMarked, residentBytes, TASK_PROCESS_MARK } from './process-tree.ts'
import { helloLine, parseSaid, SHUTDOWN_LINE, terminateLine } from './protocol.ts'
import { type EventSink, openReporter } from './reporter.ts'
import { openSlot, type Slot, type SlotEvents } from './slot.ts'
import type { TaskProgram } from './task-program.ts'
import { openUndertaker } from './undertaker.ts'

/** Why an agent stops. Times are of `performance.now()`. */
export type Ending =
  /** The task file is finished, or `--max-num-tasks` are done. */
  | { readonly kind: 'done' }
  | { readonly kind: 'idle' }
  /** Running tasks may go on until then. */
  | { readonly kind: 'shutdown'; readonly finishByMs: number; readonly because: 'signal' | 'lifetime' }
  /** The VM is gone at `deadlineMs`; Infinity = nobody knows. */
  | { readonly kind: 'preempted'; readonly deadlineMs: number }
  | { readonly kind: 'fatal'; readonly sentence: string }

export interface AgentSetup {
  readonly settings: AgentSettings
  readonly slotCount: number
  readonly program: TaskProgram
  readonly workerData: Readonly<Record<string, Json>>
  readonly origin: EventOrigin
  readonly queue: Queue
  readonly deadLetters: Pick<Queue, 'send'>
  readonly events: EventSink
  readonly limits: Pick<ProviderLimits, 'maxBodyBytes' | 'maxDelaySeconds'>
  readonly objects: Objects | undefined
  readonly log: Log
}

export interface Agent {
  /** Makes it stop; a second, more urgent word shortens the time that is left. */
  stop(ending: Ending): void
  /** SIGKILL to everything it started, in this very statement. */
  killNow(): void
  /** Resolves when all is reported and no process is left. */
  readonly stopped: Promise<Ending>
}

const MAX_BACKLOG = 50_000 // results that wait to be reported, before receiving pauses
const TICK_MS = 100
const MEMORY_LOOK_MS = 200
const GIB = 1024 ** 3
const FLUSH_SHARE = 0.25 // of a notice: kept back to report and to send successors …
const MAX_FLUSH_MS = 10_000 // … but never more
const END_OF_KILLED_MS = 3000
const FINAL_REPORT_MS = 60_000 // a queue that does not answer for so long after the last task: give up, say so
const SIGABRT = -6

export function startAgent(setup: AgentSetup): Agent {
  const { settings, slotCount, program, origin, queue, deadLetters, limits, log } = setup
  const mark = origin.session
  const undertaker = openUndertaker(mark)
  const leases = openLeaseKeeper(queue, { leaseSeconds: settings.leaseSeconds, log })
  const reporter = openReporter({ events: setup.events, tasks: queue, deadLetters, log })
  const context: AttemptContext = {
    origin,
    policy: settings,
    maxBodyBytes: limits.maxBodyBytes,
    maxDelaySeconds: limits.maxDelaySeconds,
    objects: setup.objects,
  }
  const longAnswerChars = limits.maxBodyBytes / 8 // may be over the limit as an event: looked at closely

  let stopping: Ending | undefined
  let finishByMs = Number.POSITIVE_INFINITY
  let deadlineMs = Number.POSITIVE_INFINITY
  const { promise: mustStop, resolve: sayStop } = Promise.withResolvers<void>()
  let slotChanged: () => void = () => {}
  let doneCount = 0
  let toSkip = settings.taskFile === undefined ? settings.tasksToSkip : 0 // of a file: passed over by its reader
  const skipped: HeldTask[] = []
  const unfinished = new Set<Promise<void>>() // reports that are being made, messages on their way back
  const maxTaskCount = settings.taskFile === undefined ? settings.maxTaskCount : undefined

  const slotEvents: SlotEvents = {
    completed(task, answer) {
      if (answer.length > longAnswerChars) {
        const said = parseSaid(answer)
        if (said.kind === 'result')
          slotEvents.ended(
            task,
            { kind: 'completed', retry: said.retry, result: said.result },
            { elapsedSeconds: 0, ...said.usage },
          )
        return
      }
      doneCount++
      reporter.add({ task, event: origin.completed(answer, task.attempt) })
    },
    ended(task, outcome, usage) {
      doneCount++
      report(task, memoryOutcome(outcome), usage)
    },
    returned(tasks) {
      if (stopping === undefined) inbox.putBack(tasks)
      else track(release(tasks, 0))
    },
    changed() {
      dispatch()
      slotChanged()
    },
    fatal: sentence => stop({ kind: 'fatal', sentence }),
    said(task, text, first) {
      if (first)
        log.warning(
          `${task ? `Task "${task.taskId}"` : 'The task process'} writes to the channel of its answers; kept as log: ${text.slice(0, 500)}`,
        )
      else log.info(`${task ? `Task "${task.taskId}"` : 'The task process'}: ${text.slice(0, 2000)}`)
    },
  }
  const slots: readonly Slot[] = Array.from({ length: slotCount }, (_, i) =>
    openSlot({
      program,
      mark: `${mark}-${i}`,
      undertaker,
      hello: helloLine(setup.workerData),
      useNewProcess: settings.useNewProcess,
      maxRuntimeSeconds: settings.maxRuntimeSeconds,
      events: slotEvents,
    }),
  )
  const inbox = openInbox({
    queue,
    slotCount,
    maxTaskCount,
    admit,
    arrived: dispatch,
    failed(sentence) {
      log.error(sentence)
      reporter.add({ task: undefined, event: origin.notice({ kind: 'non_fatal_exception', exception: sentence }) })
    },
    paused: () => reporter.backlog() > MAX_BACKLOG,
  })
  slots[0]?.warmUp() // a task that cannot start is known before the first message

  let lookedAtMemoryMs = 0
  let idleSinceMs: number | undefined
  const startedMs = performance.now()
  const ticker = setInterval(tick, Math.min(TICK_MS, settings.maxRuntimeSeconds * 100))

  const stopped = mustStop.then(end)
  return { stop, stopped, killNow }

  // ---- working

  /** Fills every slot that wants more; the last tasks are spread evenly. */
  function dispatch(): void {
    if (stopping !== undefined) return
    const hungry = slots.map(slot => ({ slot, room: slot.room() })).filter(({ room }) => room > 0)
    let left = hungry.length
    for (const { slot, room } of hungry) {
      const tasks = inbox.take(Math.min(room, Math.ceil(inbox.count() / left--)))
      const alone = tasks.length > 1 && tasks.some(task => task.suspect) ? 1 : tasks.length // a suspect runs alone
      inbox.putBack(tasks.slice(alone))
      slot.give(alone === tasks.length ? tasks : tasks.slice(0, alone))
    }
  }

  function tick(): void {
    const nowMs = performance.now()
    for (const slot of slots) slot.tick(nowMs)
    if (settings.maxMemoryPerTaskGb !== undefined && nowMs - lookedAtMemoryMs > MEMORY_LOOK_MS) {
      lookedAtMemoryMs = nowMs
      holdToMemory(settings.maxMemoryPerTaskGb * GIB)
    }
    if (stopping !== undefined) return
    dispatch()
    const { idleShutdownSeconds, maxInstanceLifetimeSeconds } = settings
    const idle =
      inbox.count() === 0 && reporter.backlog() === 0 && unfinished.size === 0 && !slots.some(slot => slot.busy())
    idleSinceMs = idle ? (idleSinceMs ?? nowMs) : undefined
    if (maxTaskCount !== undefined && doneCount >= maxTaskCount && idle) stop({ kind: 'done' })
    else if (
      idleShutdownSeconds !== undefined &&
      idleSinceMs !== undefined &&
      nowMs - idleSinceMs > idleShutdownSeconds * 1000
    )
      stop({ kind: 'idle' })
    else if (maxInstanceLifetimeSeconds !== undefined && nowMs - startedMs > maxInstanceLifetimeSeconds * 1000) {
      stop({ kind: 'shutdown', finishByMs: nowMs + settings.shutdownGraceSeconds * 1000, because: 'lifetime' })
    }
  }

  function holdToMemory(limitBytes: number): void {
    const bySlot = new Map(
      slots.flatMap(slot => {
        const pid = slot.busyPid()
        return pid === undefined ? [] : [[pid, slot] as const]
      }),
    )
    if (bySlot.size === 0) return
    for (const [pid, bytes] of residentBytes([...bySlot.keys()])) {
      if (bytes > limitBytes) bySlot.get(pid)?.condemn(memoryError(`the task's processes held ${gib(bytes)} GB`))
    }
  }

  function memoryError(what: string): Outcome {
    const limit = settings.maxMemoryPerTaskGb
    return {
      kind: 'exception',
      exception: `MemoryError: ${what}, over the limit of ${limit} GB for a task.`,
      retryable: false,
    }
  }

  /** With a limit set, V8 gives up at the heap size that we gave it by aborting. */
  function memoryOutcome(outcome: Outcome): Outcome {
    const heapLimit = program.kind === 'module' && settings.maxMemoryPerTaskGb !== undefined
    return heapLimit && outcome.kind === 'exited' && outcome.exitCode === SIGABRT
      ? memoryError('the JavaScript heap was full')
      : outcome
  }

  // ---- what comes from the queue

  function admit(deliveries: readonly Delivery[]): readonly HeldTask[] {
    const admitted: HeldTask[] = []
    const held: HeldTask[] = []
    const nowMs = Date.now()
    for (const delivery of deliveries) {
      const task = holdTask(delivery)
      if (typeof task === 'string') {
        rejectBody(delivery, task)
        continue
      }
      held.push(task)
      if (delivery.deliveryCount > settings.maxAttempts) reporter.add(quarantineReport(task, context))
      else if (task.notBeforeMs > nowMs)
        track(release([task], Math.min((task.notBeforeMs - nowMs) / 1000, limits.maxDelaySeconds)))
      else if (toSkip > 0) {
        toSkip--
        skipped.push(task)
      } else if (task.checkpoint !== undefined && checkpointUrl(task.checkpoint) !== undefined)
        track(fetchCheckpoint(task))
      else admitted.push(task)
    }
    leases.keep(held)
    return admitted
  }

  function rejectBody({ body, receipt }: Delivery, problem: string): void {
    const exception = `A message in ${queue.name} is not a task: ${problem}. It goes to the dead letters. It begins: ${body.slice(0, 200)}`
    log.error(exception)
    const stand = holdTask({ body: '{"task_id":"?","data":{}}', receipt, deliveryCount: 1 })
    if (typeof stand === 'string') return
    reporter.add({ task: stand, event: origin.notice({ kind: 'non_fatal_exception', exception }), letter: { body } })
  }

  async function fetchCheckpoint(task: HeldTask): Promise<void> {
    const url = checkpointUrl(task.checkpoint)
    try {
      const chunks: Uint8Array[] = []
      if (url !== undefined && setup.objects !== undefined)
        for await (const chunk of setup.objects.read(url)) chunks.push(chunk)
      const checkpoint: unknown = JSON.parse(Buffer.concat(chunks).toString())
      task.line = `${JSON.stringify({ ...JSON.parse(task.body), checkpoint })}\n`
    } catch (error) {
      log.warning(`The checkpoint of task "${task.taskId}" cannot be read, it starts afresh: ${messageOf(error)}`)
      task.line = `${JSON.stringify({ ...JSON.parse(task.body), checkpoint: undefined })}\n`
    }
    slotEvents.returned([task])
    dispatch()
  }

  // ---- reporting

  function report(task: HeldTask, outcome: Outcome, usage: Usage): void {
    track(attemptReport(task, outcome, usage, context).then(reporter.add))
  }

  async function release(tasks: readonly HeldTask[], delaySeconds: number): Promise<void> {
    const held = tasks.filter(task => !task.settled && !task.lost)
    for (const task of held) task.settled = true // its lease is not to be renewed any more, whatever happens below
    if (held.length === 0) return
    try {
      await queue.release(
        held.map(task => task.receipt),
        delaySeconds,
      )
    } catch (error) {
      log.warning(
        `${held.length} tasks could not be handed back; they will be when their lease ends: ${messageOf(error)}`,
      )
    }
  }

  function track(work: Promise<void>): void {
    const settled = work
      .catch((error: unknown) => log.error(messageOf(error)))
      .finally(() => unfinished.delete(settled))
    unfinished.add(settled)
  }

  // ---- stopping

  function stop(ending: Ending): void {
    const finish = finishBy(ending)
    finishByMs = Math.min(finishByMs, finish.finishByMs)
    deadlineMs = Math.min(deadlineMs, finish.deadlineMs)
    if (ending.kind === 'preempted') tellTermination()
    if (stopping === undefined) {
      stopping = ending
      sayStop()
    } else slotChanged()
  }

  function tellTermination(): void {
    const line = terminateLine(Number.isFinite(finishByMs) ? (finishByMs - performance.now()) / 1000 : 0)
    for (const slot of slots) slot.tell(line)
    const event = origin.notice({ kind: 'spot_termination' })
    reporter.add({ task: undefined, event })
  }

  /** Nothing new is started from here on. */
  async function end(): Promise<Ending> {
    const ending = stopping ?? { kind: 'done' }
    // Unstarted work first: others can have it at once.
    track(inbox.close().then(left => release([...left, ...skipped], 0)))
    for (const slot of slots) {
      slot.recall()
      if (ending.kind === 'shutdown') slot.tell(SHUTDOWN_LINE)
    }
    await whileBusy(() => performance.now() < finishByMs)
    const reason: InterruptReason =
      stopping?.kind === 'preempted' || Number.isFinite(deadlineMs) ? 'preempted' : 'shutdown'
    for (const slot of slots) if (slot.busy()) slot.condemn({ kind: 'interrupted', reason })
    const killedMs = performance.now()
    await whileBusy(() => performance.now() - killedMs < END_OF_KILLED_MS)
    for (const slot of slots) slot.close()

    // Successors before the end: what is not sent now comes back when its lease ends.
    const patience = new AbortController()
    const leftMs = Math.min(FINAL_REPORT_MS, Math.max(1000, deadlineMs - performance.now()))
    const timer = setTimeout(() => patience.abort(), leftMs)
    if (ending.kind === 'fatal')
      reporter.add({ task: undefined, event: origin.notice({ kind: 'fatal_exception', exception: ending.sentence }) })
    await Promise.race([Promise.all(unfinished), systemClock.sleep(leftMs, patience.signal)])
    await reporter.drain(patience.signal)
    clearTimeout(timer)
    if (reporter.backlog() > 0)
      log.error(`${reporter.backlog()} results could not be reported; their tasks will run again.`)

    clearInterval(ticker)
    leases.close()
    killNow()
    undertaker.close()
    return ending
  }

  async function whileBusy(patient: () => boolean): Promise<void> {
    while (slots.some(slot => slot.busy()) && patient()) {
      const changed = new Promise<void>(resolve => {
        slotChanged = resolve
      })
      const nap = new AbortController()
      await Promise.race([changed, systemClock.sleep(TICK_MS, nap.signal)])
      nap.abort()
    }
  }

  function killNow(): void {
    for (const slot of slots) slot.killNow()
    killMarked(`${TASK_PROCESS_MARK}=${mark}-`)
  }
}

function finishBy(ending: Ending): { finishByMs: number; deadlineMs: number } {
  switch (ending.kind) {
    case 'shutdown':
      return { finishByMs: ending.finishByMs, deadlineMs: Number.POSITIVE_INFINITY }
    case 'preempted': {
      const flushMs = Math.min(MAX_FLUSH_MS, (ending.deadlineMs - performance.now()) * FLUSH_SHARE)
      return { finishByMs: ending.deadlineMs - Math.max(0, flushMs), deadlineMs: ending.deadlineMs }
    }
    case 'fatal':
      return { finishByMs: 0, deadlineMs: Number.POSITIVE_INFINITY }
    default:
      return { finishByMs: Number.POSITIVE_INFINITY, deadlineMs: Number.POSITIVE_INFINITY }
  }
}

function gib(bytes: number): string {
  return (bytes / GIB).toFixed(2)
}
