// Counts the outcome of tests: leaves only, each file's own crash as one failure.
import { resolve } from 'node:path'
import type { EventData } from 'node:test'
import { inspect } from 'node:util'

export interface Skip {
  readonly file: string | undefined
  readonly name: string
  readonly reason: string
}

export class TestTally {
  passedCount = 0
  failedCount = 0
  readonly skips: Skip[] = []

  pass(event: EventData.TestPass): void {
    const mark = event.skip ?? event.todo
    if (mark !== undefined && mark !== false) {
      this.skips.push({
        file: event.file,
        name: event.name,
        reason: typeof mark === 'string' ? mark : 'no reason given',
      })
    } else if (event.details.type !== 'suite' && !isWholeFile(event)) {
      this.passedCount++
    }
  }

  /** False for a failure that only repeats one that was counted: a suite fails because its tests did. */
  fail(event: EventData.TestFail): boolean {
    if (isEcho(event)) return false
    this.failedCount++
    return true
  }

  line(): string {
    return `${this.passedCount} passed, ${this.failedCount} failed, ${this.skips.length} skipped`
  }
}

export function formatFailure(event: EventData.TestFail, file: string): string {
  const { error } = event.details
  const cause = error.cause ?? error
  const text = isWholeFile(event)
    ? `${'exitCode' in error ? `ended with exit code ${error.exitCode}` : error.message} outside of any test`
    : cause instanceof Error
      ? withoutNodeFrames(cause.stack ?? cause.message)
      : inspect(cause)
  const where = event.line === undefined ? file : `${file}:${event.line}`
  return `\nnot ok: ${event.name} (${where})\n${text.replaceAll(/^/gm, '    ')}\n`
}

/** Node's own frames say nothing about our code. */
function withoutNodeFrames(stack: string): string {
  return stack.replaceAll(/^ +at .*\(?node:.*\n?/gm, '').trimEnd()
}

/** The runner's own test around a file: it fails if the file crashes, and passes if the file has no test. */
function isWholeFile({ name, file }: { name: string; file?: string | undefined }): boolean {
  return file !== undefined && resolve(name) === file
}

function isEcho({ details }: EventData.TestFail): boolean {
  return 'failureType' in details.error && details.error.failureType === 'subtestsFailed'
}
