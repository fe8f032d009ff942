// One place where tasks run, one after another: keeps a process warm, sends it as much as it needs never to wait, holds
// the first task that is not answered to its limits, and says how each ended. Knows nothing of queues.
//
//   no process ── give ──▶ running ── answered ──▶ running | idle
//   running ── limit, interrupt ──▶ condemned (the verdict is kept) ── ended ──▶ no process
//   running ── died by itself ──▶ no process; blame: one task unanswered, or `exiting` was said → that task; else suspects
import type { TaskId } from '../core/ids.ts'
import type { Outcome } from '../core/outcome.ts'
import type { HeldTask } from './held-task.ts'
import { openPipeline } from './pipeline.ts'
import { concerns, parseSaid, plainAnswerSeconds, RECALL_LINE, type Said, type SaidUsage } from './protocol.ts'
import { startTaskProcess, type TaskProcess } from './task-process.ts'
import type { TaskProgram } from './task-program.ts'
import type { Undertaker } from './undertaker.ts'

const RECALL_AFTER_MS = 100 // of one task: what waits behind it goes to others

export interface SlotEvents {
  /** The common case, with the answer line as it came: see `plainAnswerSeconds`. */
  completed(task: HeldTask, answer: string): void
  ended(task: HeldTask, outcome: Outcome, usage: SaidUsage & { readonly elapsedSeconds: number }): void
  /** Not started, or not known to be at fault: to be run again. */
  returned(tasks: readonly HeldTask[]): void
  /** After everything else of a moment: there may be room. */
  changed(slot: Slot): void
  /** No task can ever run. */
  fatal(sentence: string): void
  /** For the log. */
  said(task: HeldTask | undefined, text: string, firstOfTask: boolean): void
}

export interface SlotOptions {
  readonly program: TaskProgram
  readonly mark: string
  readonly undertaker: Undertaker
  /** First line to processes that understand control lines. */
  readonly hello: string
  readonly useNewProcess: boolean
  readonly maxRuntimeSeconds: number
  readonly events: SlotEvents
}

export interface Slot {
  /** How many more tasks it wants now; 0 = has enough. */
  room(): number
  give(tasks: readonly HeldTask[]): void
  /** Starts the process ahead of the first task. */
  warmUp(): void
  busy(): boolean
  /** The task that it is at. */
  runs(): TaskId | undefined
  /** Group leader of the process that is running a task. */
  busyPid(): number | undefined
  /** To be called a few times a second: limits. */
  tick(nowMs: number): void
  /** A control line, for processes that understand them. */
  tell(line: string): void
  /**
   * Asks for what is not started to be given back. `orElseMs`: when the process is too busy to answer for so long, it is
   * taken all the same, for a process that is about to end: the little that it may still start runs twice.
   */
  recall(options?: { readonly orElseMs: number }): void
  /** Kills the process because of its first task, which ends like this; what is behind it is returned. */
  condemn(outcome: Outcome): void
  /** Ends the idle process. */
  close(): void
  killNow(): void
}

export function openSlot({
  program,
  mark,
  undertaker,
  hello,
  useNewProcess,
  maxRuntimeSeconds,
  events,
}: SlotOptions): Slot {
  const trusted = program.kind === 'module' // our runner wrote the lines
  let current: TaskProcess | undefined
  let generation = 0
  let announced = trusted ? { control: true, pipeline: true } : { control: false, pipeline: false }
  let ready = false
  let exiting = false
  let recalling = false
  let verdict: Outcome | undefined

  const inside = openPipeline({ leastDepth: program.batchSize ?? 1 })
  let startedMs = 0 // of the first one inside
  let chattered: HeldTask | undefined // has been warned of

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
      if (inside.count() === 0 || verdict !== undefined) return
      const runningMs = nowMs - startedMs
      if (runningMs > maxRuntimeSeconds * 1000) slot.condemn({ kind: 'timed_out' })
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
      if (inside.count() > 0) return
      retire()
    },
    killNow() {
      current?.killNow()
    },
  }
  return slot

  function start(): TaskProcess {
    const mine = ++generation
    ready = exiting = recalling = false
    if (!trusted) announced = { control: false, pipeline: false }
    const open = program.start ?? startTaskProcess
    const process = open(program, `${mark}-${generation}`, undertaker, {
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
    })
    current = process
    if (trusted) process.write(hello)
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
      if (task !== undefined && trusted && verdict === undefined) {
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
        if (!trusted) {
          announced = { control: said.control, pipeline: said.pipeline }
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
        return undefined
      case 'output':
        break
      default:
        if (
          task !== undefined &&
          verdict === undefined &&
          concerns(said, task.taskId, { alone: inside.count() === 1 })
        ) {
          return heard(said, task)
        }
        if (verdict !== undefined) return undefined // too late: its end is decided
    }
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
    events.ended(
      task,
      said.kind === 'result'
        ? { kind: 'completed', retry: said.retry, result: said.result }
        : {
            kind: 'exception',
            exception: said.exception,
            ...(said.retryable === undefined ? undefined : { retryable: said.retryable }),
          },
      { ...said.usage, elapsedSeconds },
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
      const exact = sentence !== undefined || exiting || unanswered.length === 1
      if (exact) {
        events.ended(blamed, sentence ?? { kind: 'exited', exitCode }, { elapsedSeconds: elapsed() })
        events.returned(unanswered.slice(1))
      } else {
        for (const task of unanswered) task.suspect = true
        events.returned(unanswered)
      }
    }
    exiting = recalling = false
    events.changed(slot)
  }

  function elapsed(): number {
    return Math.round((performance.now() - startedMs) * 1000) / 1_000_000
  }
}
