// What a task throws, or a result says, when a task has failed.

/** `retryable` decides whether there is another attempt and beats every setting; leave it out to let the settings decide. */
export class TaskError extends Error {
  /** Kind of the error, such as `ValueError`; stands before the message. */
  readonly type: string
  readonly retryable: boolean | undefined

  constructor(message: string, type = 'TaskError', retryable?: boolean) {
    super(message)
    this.type = type
    this.retryable = retryable
    this.name = type
    if (this.stack !== undefined) this.stack = this.stack.replace(/^Error/, type) // made before the name was known
  }
}

const FIRST_LINE = /^(?:Uncaught )?([A-Za-z_$][\w.$]*): ?(.*)$/

/** Of the text that an event carries: a stack trace of JavaScript, or a traceback of Python. */
export function parseTaskError(exception: string): TaskError {
  const lines = exception.trim().split('\n')
  const telling = (lines[0]?.startsWith('Traceback') ? lines.at(-1) : lines[0]) ?? ''
  const [, type, message] = FIRST_LINE.exec(telling) ?? []
  const error = new TaskError(message ?? telling, type ?? 'Error')
  error.stack = exception
  return error
}
