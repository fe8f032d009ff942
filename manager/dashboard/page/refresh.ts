// Asks again for what has changed: never twice at once, never more often than `minimumMs`, never while nobody looks.

export class Refresh {
  readonly #load: () => Promise<void>
  readonly #minimumMs: number
  #wanted = false
  #busy = false
  #lastAt = Number.NEGATIVE_INFINITY

  /** `load` handles its own failures. */
  constructor(load: () => Promise<void>, { minimumMs }: { readonly minimumMs: number }) {
    this.#load = load
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
    this.#lastAt = Number.NEGATIVE_INFINITY
    this.request()
  }

  #next(): void {
    if (!this.#wanted || this.#busy || document.hidden) return
    this.#busy = true
    const waitMs = Math.max(0, this.#lastAt + this.#minimumMs - performance.now())
    if (waitMs === 0) void this.#run()
    else
      setTimeout(
        () => {
          this.#busy = false
          this.#next()
        },
        Math.min(waitMs, 250),
      ) // looks often, so that a demand need not wait for an earlier request
  }

  async #run(): Promise<void> {
    this.#wanted = false
    this.#lastAt = performance.now()
    try {
      await this.#load()
    } finally {
      this.#busy = false
      this.#next()
    }
  }
}
