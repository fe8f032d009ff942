// Asks again for what has changed: never twice at once, never more often than `minimumMs`, never while nobody looks; and after
// a question that was not answered, until one is.

import { messageOf } from './message.ts'
import type { Value } from './value.ts'

const AFTER_FAILURE_MS = 3000
const LOOK_MS = 250

export class Refresh {
  readonly #load: () => Promise<void>
  readonly #trouble: Value<string | undefined>
  readonly #minimumMs: number
  #said: string | undefined
  #wanted = false
  #busy = false
  #notBefore = Number.NEGATIVE_INFINITY

  constructor(
    load: () => Promise<void>,
    { minimumMs, trouble }: { readonly minimumMs: number; readonly trouble: Value<string | undefined> },
  ) {
    this.#load = load
    this.#trouble = trouble
    this.#minimumMs = minimumMs
    document.addEventListener('visibilitychange', () => this.#next())
  }

  /** Something may have changed. */
  request(): void {
    this.#wanted = true
    this.#next()
  }

  /** The reader changed something: at once, whatever was asked for before. */
  demand(): void {
    this.#notBefore = Number.NEGATIVE_INFINITY
    this.request()
  }

  #next(): void {
    if (!this.#wanted || this.#busy || document.hidden) return
    this.#busy = true
    const waitMs = this.#notBefore - performance.now()
    if (waitMs <= 0) void this.#run()
    else
      setTimeout(
        () => {
          this.#busy = false
          this.#next()
        },
        Math.min(waitMs, LOOK_MS), // so that a demand need not wait for an earlier request
      )
  }

  async #run(): Promise<void> {
    this.#wanted = false
    this.#notBefore = performance.now() + this.#minimumMs
    try {
      await this.#load()
      this.#say(undefined)
    } catch (error) {
      this.#say(messageOf(error))
      this.#wanted = true
      this.#notBefore = performance.now() + AFTER_FAILURE_MS
    }
    this.#busy = false
    this.#next()
  }

  /** What another one said is not taken back. */
  #say(sentence: string | undefined): void {
    if (sentence !== undefined || this.#trouble.current === this.#said) this.#trouble.set(sentence)
    this.#said = sentence
  }
}
