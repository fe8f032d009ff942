// The error classes somebody branches on. Everything else is a plain Error.

/** Something the user can mend. Printed as its one-sentence message, without a stack. */
export class UserError extends Error {
  override readonly name = 'UserError'
  /** Process exit code: 2 for a wrong command line, 1 for everything else. */
  readonly exitCode: 1 | 2

  constructor(message: string, { exitCode = 1, cause }: { exitCode?: 1 | 2; cause?: unknown } = {}) {
    super(message, { cause })
    this.exitCode = exitCode
  }
}

/** Thrown by task code to say whether another attempt can help. */
export class TaskFailed extends Error {
  override readonly name = 'TaskFailed'
  readonly retryable: boolean

  constructor(message: string, { retryable = false, cause }: { retryable?: boolean; cause?: unknown } = {}) {
    super(message, { cause })
    this.retryable = retryable
  }
}

/** The text of anything that was thrown, for a message to a person: never a stack. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** The `code` of a system error such as ENOENT, where there is one. */
export function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}
