// How a task ended, for whoever waits for it.
import { describeExit } from '../../core/retry.ts'
import type { AttemptEvent } from '../../core/task-event.ts'
import { parseTaskError, TaskError } from './task-error.ts'

export interface ResultFields<Value> {
  readonly value?: Value | undefined
  /** A text is made a `TaskError` with it as its message. */
  readonly error?: TaskError | string
  /** Default: whether there is an error. */
  readonly isError?: boolean
}

export class Result<Value = unknown> {
  readonly isError: boolean
  /** What the task returned; undefined if it failed, and for a task that returned nothing. */
  readonly value: Value | undefined
  readonly error: TaskError | undefined

  constructor({ value, error, isError = error !== undefined }: ResultFields<Value>) {
    this.isError = isError
    this.value = value
    this.error = typeof error === 'string' ? new TaskError(error) : error
  }

  get isSuccess(): boolean {
    return !this.isError
  }
}

/** Of the event of a last attempt. The value is as JSON carries it. */
export function resultOf({ outcome, deadLetter }: Pick<AttemptEvent, 'outcome' | 'deadLetter'>): Result {
  switch (outcome.kind) {
    case 'completed':
      return deadLetter === undefined
        ? new Result({ value: outcome.result ?? undefined })
        : new Result({ error: `Given up: ${deadLetter}.`, value: outcome.result })
    case 'exception':
      return new Result({ error: parseTaskError(outcome.exception) })
    case 'timed_out':
      return new Result({ error: new TaskError('The task ran longer than its time limit.', 'TimeoutError') })
    case 'exited':
      return new Result({ error: new TaskError(`The task's ${describeExit(outcome.exitCode)}.`, 'ExitError') })
    default:
      return new Result({ error: new TaskError(`The task was interrupted: ${outcome.reason}.`, 'Interrupted') })
  }
}
