// Puts failures that tell the same under one heading, whatever numbers they mention. Knows nothing of tasks.
import { createHash } from 'node:crypto'

export interface Failure {
  readonly status: string
  readonly exception: string | undefined
  readonly exitCode: number | undefined
  readonly deadLetter: string | undefined
}

export interface FailureGroup {
  /** Of the heading alone: the same in another process and another job. */
  readonly id: string
  readonly headline: string
  readonly sample: string
  /** Tasks that show it now. */
  count: number
  lastMs: number
}

const MOST_GROUPS = 2000 // after that, everything new is "Other failures"
const MOST_TEXTS = 1000 // remembered, so that a text that comes again is not read again
const MOST_TEXT_CHARACTERS = 1000
const HEADLINE_CHARACTERS = 300
const SAMPLE_CHARACTERS = 10_000

export class FailureGroups {
  /** The first stands for no failure. */
  readonly groups: FailureGroup[] = [{ id: '', headline: '', sample: '', count: 0, lastMs: 0 }]
  readonly #numberOfId = new Map<string, number>()
  readonly #numberOfText = new Map<string, number>()

  /** Index into `groups`; 0 for a row that shows no failure. */
  numberOf(failure: Failure): number {
    const text = textOf(failure)
    if (text === undefined) return 0
    const known = this.#numberOfText.get(text)
    if (known !== undefined) return known
    const number = this.#groupOf(text)
    if (text.length > MOST_TEXT_CHARACTERS) return number
    if (this.#numberOfText.size >= MOST_TEXTS) this.#numberOfText.clear()
    this.#numberOfText.set(text, number)
    return number
  }

  /** Index of the group with this id; undefined if there is none. */
  find(id: string): number | undefined {
    return this.#numberOfId.get(id)
  }

  #groupOf(text: string): number {
    const full = this.groups.length >= MOST_GROUPS
    const headline = full ? OTHER : headlineOf(text)
    const id = idOf(headline)
    const known = this.#numberOfId.get(id)
    if (known !== undefined) return known
    const sample = full ? OTHER : text.slice(0, SAMPLE_CHARACTERS)
    this.groups.push({ id, headline, sample, count: 0, lastMs: 0 })
    this.#numberOfId.set(id, this.groups.length - 1)
    return this.groups.length - 1
  }
}

const OTHER = 'Other failures'
const NO_FAILURE = /^(pending|in_queue_original|completed|completed_with_retry)$/

function textOf({ status, exception, exitCode, deadLetter }: Failure): string | undefined {
  if (NO_FAILURE.test(status)) return undefined
  if (exception !== undefined && exception.trim() !== '') return exception
  if (status.startsWith('timed_out')) return 'Timed out'
  if (exitCode !== undefined) return `Exited with code ${exitCode}`
  if (status.startsWith('exited')) return 'Exited without a status'
  return deadLetter ?? 'No exception'
}

/** The line that tells most: the last of a Python traceback, the first of anything else. */
export function headlineOf(text: string): string {
  const lines = text.split('\n').filter(line => line.trim() !== '')
  const python = lines.some(line => line.startsWith('Traceback (most recent call last)'))
  const line = python ? (lines.findLast(isPythonError) ?? lines.at(-1)) : lines[0]
  return (line ?? '').trim().slice(0, HEADLINE_CHARACTERS)
}

/** Its message may go on over several lines, so the last line need not be it. */
function isPythonError(line: string): boolean {
  return /^[A-Za-z_][\w.]*(:|$)/.test(line) && !line.startsWith('Traceback')
}

function idOf(headline: string): string {
  // What differs from task to task, but not an exit code: that tells failures apart.
  const same = headline.startsWith('Exited with code') ? headline : headline.replaceAll(VARYING, '#')
  return createHash('sha1').update(same).digest('hex').slice(0, 12)
}

const VARYING = /0x[0-9a-f]+|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b|\d+(\.\d+)?(e[+-]?\d+)?/gi
