// One place where tasks run, one after another: keeps a process warm, sends it as much as it needs never to wait, holds
// the first task that is not answered to its limits, and says how each ended. Knows nothing of queues.
//
//   no process ── give ──▶ running ── answered ──▶ running | idle
//   running ── limit, interrupt ──▶ condemned (the verdict is kept) ── ended ──▶ no process
//   running ── died by itself ──▶ no process; blame: one task unanswered, or `exiting` was said → that task; else suspects
import type { Outcome } from '../core/outcome.ts'
import type { HeldTask } from './held-task.ts'
import { openPipeline } from './pipeline.ts'
import { concerns, parseSaid, plainAnswerSeconds, RECALL_LINE, type Said } from './protocol.ts'
import type { Slot, SlotOptions } from './slot-contract.ts'
import { openTaskLog } from './task-log.ts'
import { startTaskProcess, type TaskProcess, type TaskProcessEvents } from './task-process.ts'
import { ownsChannel } from './task-program.ts'

const START_SECONDS = 60 // until a program that will announce itself has done so: loading is not the task's time
const RECALL_AFTER_MS = 100 // of one task: what waits behind it goes to others

export type { Slot, SlotEvents } from './slot-contract.ts'

export function openSlot({
  program,
  mark,
  undertaker,
  hello,
  maxRuntimeSeconds,
  events,
  ...options
}: SlotOptions): Slot {
  const known = program.kind === 'module' // our runner: what it can is known before it says so
  const useNewProcess = options.useNewProcess || program.kind === 'one-shot'
  const abilities = { control: known || program.kind === 'one-shot', pipeline: known, plain: known }
  const log = openTaskLog(mark)
  let current: TaskProcess | undefined
  let generation = 0
  let announced = abilities
  let ready = false
  let exiting = false
  let recalling = false
  let verdict: Outcome | undefined

  const inside = openPipeline({ leastDepth: program.batchSize ?? 1 })
  let startedMs = 0 // of the first one inside
  let chattered: HeldTask | undefined // has been warned of
  let logFrom = 0 // where the first one inside cannot have begun to print before
  let logMark = 0

  const slot: Slot = {
    room() {
      if (verdict !== undefined || recalling || exiting) return 0
      const count = inside.count()
      const oneByOne = useNewProcess || !announced.pipeline || !ready
      if (count === 0) return oneByOne ? 1 : inside.depth()
      if (oneByOne || inside.first()?.suspect) return 0
      if (performance.now() - startedMs > RECALL_AFTER_MS) return 0 // what waits behind a long task waits in vain
      return count <= inside.depth() / 2 ? inside.depth() - count : 0
    },
    give(tasks) {
      if (tasks.length === 0) return
      const process = current ?? start()
      if (inside.count() === 0) {
        recalling = false
        startedMs = performance.now()
        logFrom = logMark = log.position()
      }
      inside.push(tasks)
      let lines = ''
      for (const task of tasks) lines += task.line
      process.write(lines)
    },
    warmUp() {
      current ??= start()
    },
    busy: () => inside.count() > 0 || verdict !== undefined,
    runs: () => inside.first()?.taskId,
    busyPid: () => (inside.count() > 0 && verdict === undefined ? current?.pid : undefined),
    tick(nowMs) {
      log.show()
      if (inside.count() === 0 || verdict !== undefined) return
      const runningMs = nowMs - startedMs
      const limitSeconds = ready || !program.announces ? maxRuntimeSeconds : Math.max(maxRuntimeSeconds, START_SECONDS)
      if (runningMs > limitSeconds * 1000) slot.condemn({ kind: 'timed_out' })
      else if (runningMs > RECALL_AFTER_MS) slot.recall()
    },
    tell(line) {
      if (announced.control) current?.write(line)
    },
    recall(options) {
      if (!announced.control || inside.count() < 2) return
      if (options !== undefined) setTimeout(() => events.returned(inside.takeUnstarted()), options.orElseMs)
      if (recalling) return
      recalling = true
      current?.write(RECALL_LINE)
    },
    condemn(outcome) {
      if (verdict !== undefined || current === undefined) return
      verdict = outcome
      current.kill()
    },
    close() {
      log.close()
      if (inside.count() === 0) retire()
    },
    killNow() {
      current?.killNow()
    },
  }
  return slot

  function start(): TaskProcess {
    const mine = ++generation
    ready = exiting = recalling = false
    announced = abilities
    const open = program.start ?? startTaskProcess
    const listener: TaskProcessEvents = {
      lines: lines => {
        if (mine === generation) read(lines)
      },
      ended: exitCode => {
        if (mine === generation) ended(exitCode)
      },
      failedToStart: reason => {
        current = undefined
        events.fatal(`Cannot start ${program.file}: ${reason}.`)
        events.returned(inside.takeAll())
      },
    }
    const process = open(program, `${mark}-${generation}`, undertaker, listener, log)
    current = process
    if (known) process.write(hello)
    return process
  }

  /** Lets the process end in its own time; a new one starts with the next task. */
  function retire(): void {
    current?.end()
    current = undefined
    generation++
  }

  function read(lines: readonly string[]): void {
    let answers = 0
    let seconds = 0
    for (const line of lines) {
      const task = inside.first()
      if (task !== undefined && announced.plain && verdict === undefined) {
        const elapsed = plainAnswerSeconds(line, task.quotedId)
        if (elapsed !== undefined && elapsed >= 0) {
          answers++
          seconds += elapsed
          inside.shift()
          events.completed(task, line)
          continue
        }
      }
      const elapsed = hear(line, task)
      if (elapsed !== undefined) {
        answers++
        seconds += elapsed
      }
    }
    if (answers > 0) {
      startedMs = performance.now()
      logFrom = logMark
      logMark = log.position()
      inside.learn(seconds / answers)
      if (useNewProcess) retire()
    }
    events.changed(slot)
  }

  /** Anything but a plain answer. Returns the seconds of the task that it ended, if it ended one. */
  function hear(line: string, task: HeldTask | undefined): number | undefined {
    if (line === '') return undefined
    const said = parseSaid(line)
    switch (said.kind) {
      case 'ready':
        if (!ready) startedMs = performance.now() // starting up is not the task's time
        ready = true
        if (!known) {
          announced = { control: said.control, pipeline: said.pipeline, plain: said.plain && ownsChannel(program) }
          if (said.control) current?.write(hello)
        }
        return undefined
      case 'recalled':
        recalling = false
        events.returned(inside.takeBack(said.taskIds))
        return undefined
      case 'fatal': // before it has started any task
        events.fatal(said.sentence)
        events.returned(inside.takeAll())
        return undefined
      case 'exiting':
        exiting = true
        if (said.log !== undefined) logFrom = log.fromFile(said.log[0])
        return undefined
      case 'output':
        break
      default:
        if (task !== undefined && concerns(said, task.taskId, { alone: inside.count() === 1 })) {
          // A checkpoint still counts when the end is decided: SIGTERM leaves a second for one.
          if (verdict === undefined || said.kind === 'checkpoint') return heard(said, task)
        }
        if (verdict !== undefined) return undefined // too late: its end is decided
    }
    log.append(line)
    events.said(task, line, chattered !== task)
    chattered = task
    return undefined
  }

  function heard(said: Extract<Said, { taskId: unknown }>, task: HeldTask): number | undefined {
    if (said.kind === 'checkpoint') {
      task.savedCheckpoint = said.checkpoint
      return undefined
    }
    if (said.kind === 'progress') {
      events.said(task, `${Math.round(said.progress * 100)} % ${said.note}`, false)
      return undefined
    }
    inside.shift()
    const elapsedSeconds = said.usage.elapsedSeconds ?? elapsed()
    const [from, to] = said.kind === 'exception' ? (said.log?.map(log.fromFile) ?? [logFrom]) : []
    events.ended(
      task,
      said.kind === 'result'
        ? { kind: 'completed', retry: said.retry, result: said.result }
        : {
            kind: 'exception',
            exception: said.exception,
            ...(said.retryable === undefined ? undefined : { retryable: said.retryable }),
          },
      { ...said.usage, elapsedSeconds, ...printed(from, to) },
    )
    startedMs = performance.now()
    return elapsedSeconds
  }

  function ended(exitCode: number | undefined): void {
    current = undefined
    const unanswered = inside.takeAll()
    const sentence = verdict
    const blamed = unanswered[0]
    verdict = undefined
    if (blamed !== undefined) {
      // An answer may have waited for company behind which a task never looked up: then it is not the first one's time.
      const exact = sentence?.kind === 'interrupted' || exiting || unanswered.length === 1
      if (exact) {
        events.ended(blamed, sentence ?? { kind: 'exited', exitCode }, {
          elapsedSeconds: elapsed(),
          ...printed(logFrom),
        })
        events.returned(unanswered.slice(1))
      } else {
        for (const task of unanswered) task.suspect = true
        events.returned(unanswered)
      }
    }
    exiting = recalling = false
    events.changed(slot)
  }

  function printed(from: number | undefined, to?: number): { readonly log?: string } {
    const text = from === undefined ? undefined : log.between(from, to ?? log.position())
    return text === undefined ? {} : { log: text }
  }

  function elapsed(): number {
    return Math.round((performance.now() - startedMs) * 1000) / 1_000_000
  }
}
