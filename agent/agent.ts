// The agent: takes tasks from a queue into slots and reports how each ended, until something makes it stop.
// Owns the order of stopping; leaves receiving, running, leases and reporting to the files named after them.
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { TaskId } from '../core/ids.ts'
import type { InterruptReason, Outcome, Usage } from '../core/outcome.ts'
import type { RetryPolicy } from '../core/retry.ts'
import type { AgentSettings } from '../core/settings.ts'
import type { Json } from '../core/task.ts'
import type { Objects, Queue } from '../infra/provider.ts'
import { openAdmission } from './admission.ts'
import { type AttemptContext, attemptReport } from './attempt-report.ts'
import type { AgentLimits } from './connections.ts'
import { dueEnding, type Ending, timeLeft } from './ending.ts'
import type { HeldTask } from './held-task.ts'
import { openInbox } from './inbox.ts'
import { openLeaseKeeper } from './lease-keeper.ts'
import type { Log } from './log.ts'
import { memoryLimit } from './memory-limit.ts'
import type { EventOrigin } from './origin.ts'
import { openPendingWork } from './pending-work.ts'
import { killMarked, TASK_PROCESS_MARK } from './process-tree.ts'
import { helloLine, parseSaid, SHUTDOWN_LINE, terminateLine } from './protocol.ts'
import { type EventSink, openReporter, type Report } from './reporter.ts'
import { openSlot, type Slot, type SlotEvents } from './slot.ts'
import type { TaskProgram } from './task-program.ts'
import { openUndertaker } from './undertaker.ts'

export interface AgentSetup {
  readonly settings: AgentSettings
  readonly slotCount: number
  readonly program: TaskProgram
  readonly workerData: Readonly<Record<string, Json>>
  readonly origin: EventOrigin
  readonly queue: Queue
  readonly deadLetters: Pick<Queue, 'send'>
  readonly events: EventSink
  readonly limits: AgentLimits
  readonly objects: Objects | undefined
  readonly log: Log
  /** Default: the settings. */
  readonly policy?: RetryPolicy
  readonly heard?: ((report: Report) => void) | undefined
}

export interface Agent {
  /** Makes it stop; a second, more urgent word shortens the time that is left. */
  stop(ending: Ending): void
  /** SIGKILL to everything it started, in this very statement. */
  killNow(): void
  /** The task that each busy slot is at. */
  running(): readonly TaskId[]
  /** Resolves when all is reported and no process is left. */
  readonly stopped: Promise<Ending>
}

const TICK_MS = 100
const HAND_BACK_MS = 300 // for a process to say what it has not started, once everything must end
const MIN_TICK_MS = 10
const END_OF_KILLED_MS = 3000
const FINAL_REPORT_MS = 60_000 // a queue that does not answer for so long after the last task: give up, say so

export function startAgent(setup: AgentSetup): Agent {
  const { settings, slotCount, program, origin, queue, deadLetters, limits, log, heard } = setup
  const mark = origin.session
  const undertaker = openUndertaker(mark)
  const leases = openLeaseKeeper(queue, { leaseSeconds: settings.leaseSeconds, log })
  const { gatherSeconds } = limits
  const reporter = openReporter({ events: setup.events, tasks: queue, deadLetters, log, gatherSeconds, heard })
  const context: AttemptContext = {
    origin,
    policy: setup.policy ?? settings,
    ...limits,
    objects: setup.objects,
  }
  const longAnswerChars = limits.maxBodyBytes / 8 // may be over the limit as an event: looked at closely

  let stopping: Ending | undefined
  let finishByMs = Number.POSITIVE_INFINITY
  let deadlineMs = Number.POSITIVE_INFINITY
  const { promise: mustStop, resolve: sayStop } = Promise.withResolvers<void>()
  let slotChanged: () => void = () => {}
  let doneCount = 0
  const pending = openPendingWork(log)
  const { track } = pending
  // Of a file, its reader skips and counts.
  const tasksToSkip = settings.taskFile === undefined ? settings.tasksToSkip : 0
  const maxTaskCount = settings.taskFile === undefined ? settings.maxTaskCount : undefined
  const memory = memoryLimit(settings.maxMemoryPerTaskGb, { heapLimited: program.kind === 'module' })

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
      report(task, memory.explain(outcome), usage)
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
  const admission = openAdmission({
    queueName: queue.name,
    context,
    maxAttempts: settings.maxAttempts,
    tasksToSkip,
    reporter,
    log,
    keepLeases: leases.keep,
    release: (tasks, delaySeconds) => track(release(tasks, delaySeconds)),
    track,
    ready(task) {
      slotEvents.returned([task])
      dispatch()
    },
  })
  const inbox = openInbox({
    queue,
    idleSlotCount: () => slots.filter(slot => !slot.busy()).length * (program.batchSize ?? 1),
    doneCount: () => doneCount,
    maxTaskCount,
    admit: admission.admit,
    arrived: dispatch,
    failed(sentence) {
      log.error(sentence)
      reporter.add({ task: undefined, event: origin.notice({ kind: 'non_fatal_exception', exception: sentence }) })
    },
    paused: reporter.full,
  })
  slots[0]?.warmUp() // a task that cannot start is known before the first message

  let idleSinceMs: number | undefined
  const startedMs = performance.now()
  const ticker = setInterval(tick, Math.max(MIN_TICK_MS, Math.min(TICK_MS, settings.maxRuntimeSeconds * 100)))

  const stopped = mustStop.then(end)
  return { stop, stopped, killNow, running: () => slots.flatMap(slot => slot.runs() ?? []) }

  // ---- working

  /** Fills every slot that wants more; the last tasks are spread evenly. */
  function dispatch(): void {
    if (stopping !== undefined || reporter.full()) return
    const hungry = slots.map(slot => ({ slot, room: slot.room() })).filter(({ room }) => room > 0)
    let left = hungry.length
    for (const { slot, room } of hungry) {
      const tasks = inbox.take(Math.min(room, Math.ceil(inbox.count() / left--)))
      const suspect = tasks.findIndex(task => task.suspect)
      if (suspect === -1) slot.give(tasks)
      else {
        const count = suspect > 0 ? suspect : slot.busy() ? 0 : 1 // a suspect runs alone
        inbox.putBack(tasks.slice(count))
        slot.give(tasks.slice(0, count))
      }
    }
  }

  function tick(): void {
    const nowMs = performance.now()
    for (const slot of slots) slot.tick(nowMs)
    memory.look(slots)
    if (stopping !== undefined) return
    dispatch()
    const waits = inbox.count() + reporter.backlog() + pending.count()
    idleSinceMs = waits > 0 || slots.some(slot => slot.busy()) ? undefined : (idleSinceMs ?? nowMs)
    const enough = maxTaskCount !== undefined && doneCount >= maxTaskCount
    const due = dueEnding({ settings, startedMs, idleSinceMs, enough })
    if (due !== undefined) stop(due)
    else track(release(inbox.giveBack(), 0))
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

  // ---- stopping

  function stop(ending: Ending): void {
    const finish = timeLeft(ending)
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
    reporter.add({ task: undefined, event: origin.notice({ kind: 'spot_termination' }) })
  }

  /** Nothing new is started from here on. */
  async function end(): Promise<Ending> {
    const ending = stopping ?? { kind: 'done' }
    // Unstarted work first: others can have it at once.
    track(inbox.close().then(left => release([...left, ...admission.skipped()], 0)))
    for (const slot of slots) {
      slot.recall({ orElseMs: HAND_BACK_MS })
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
    await Promise.race([pending.over(), systemClock.sleep(leftMs, patience.signal)])
    await reporter.drain(patience.signal)
    clearTimeout(timer)
    patience.abort() // nothing here keeps the program any longer
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
