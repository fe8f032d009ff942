// Lets others ask for the next look at the VMs at once, and wait for its end.

export class Looks {
  #wanted = new AbortController()
  #waiting: (() => void)[] = []
  #ended = false

  /** Resolves after a look that begins from now on; at once when there will be none any more. */
  next(): Promise<void> {
    if (this.#ended) return Promise.resolve()
    return new Promise(resolve => {
      this.#waiting.push(resolve)
      this.#wanted.abort()
    })
  }

  /** Makes one. */
  async make<Result>(look: () => Promise<Result>): Promise<Result> {
    const waiting = this.#waiting
    this.#waiting = []
    this.#wanted = new AbortController()
    try {
      return await look()
    } finally {
      for (const resolve of waiting) resolve()
    }
  }

  /** Aborts when somebody wants the next look, or with `signal`. */
  wanted(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#wanted.signal])
  }

  /** There will be no more. */
  end(): void {
    this.#ended = true
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
