// What a slot is to those who use it: what it is told, and what it says.
import type { TaskId } from '../core/ids.ts'
import type { Outcome, Usage } from '../core/outcome.ts'
import type { HeldTask } from './held-task.ts'
import type { TaskProgram } from './task-program.ts'
import type { Undertaker } from './undertaker.ts'

export interface SlotEvents {
  /** The common case, with the answer line as it came: see `plainAnswerSeconds`. */
  completed(task: HeldTask, answer: string): void
  ended(task: HeldTask, outcome: Outcome, usage: Usage): void
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
