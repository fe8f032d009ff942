// The file of events as JSON lines. A copy for people: an error in it never touches the database.
import { closeSync, existsSync, openSync, writeSync } from 'node:fs'
import { messageOf } from '../core/errors.ts'

export class EventFile {
  readonly #path: string
  readonly #warn: (sentence: string) => void
  readonly #fresh: boolean
  #descriptor: number | undefined

  constructor(path: string, warn: (sentence: string) => void) {
    this.#path = path
    this.#warn = warn
    this.#fresh = !existsSync(path)
    this.#try(() => {
      this.#descriptor = openSync(path, 'a')
    })
  }

  /** What was stored before the file was asked for, if the file is new. */
  backfill(events: Iterable<string>): void {
    if (!this.#fresh) return
    let lines: string[] = []
    for (const event of events) {
      lines.push(event)
      if (lines.length < 1000) continue
      this.append(lines)
      lines = []
    }
    this.append(lines)
  }

  append(lines: readonly string[]): void {
    const descriptor = this.#descriptor
    if (descriptor === undefined || lines.length === 0) return
    this.#try(() => {
      const bytes = Buffer.from(`${lines.join('\n')}\n`)
      for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at)
    })
  }

  close(): void {
    const descriptor = this.#descriptor
    this.#descriptor = undefined
    if (descriptor !== undefined) closeSync(descriptor)
  }

  #try(write: () => void): void {
    try {
      write()
    } catch (error) {
      this.#warn(
        `Event file ${this.#path} cannot be written (${messageOf(error)}). Events go to the job database only.`,
      )
      this.close()
    }
  }
}
