// How many requests run at once: few at first, more while that pays, fewer when the service throttles or only queues them.

const FIRST = 4
const MOST = 64
const SLOW = 2 // times the fastest answer: more at once only makes each of them wait
const QUICK = 1.4
const SMOOTHING = 0.1
const WINDOW_MS = 30_000 // a fastest answer of before the last window says nothing about now
const THROTTLED_SHARE = 0.6
const THROTTLED_PAUSE_MS = 500 // answers to requests sent before the last step down are no news

export class AdaptiveLimit {
  #limit = FIRST
  #running = 0
  /** Of this window, and of the one before. */
  #fastestMs = Number.POSITIVE_INFINITY
  #fastestBeforeMs = Number.POSITIVE_INFINITY
  #windowEndsMs = 0
  #usualMs: number | undefined
  #steppedDownMs = Number.NEGATIVE_INFINITY
  readonly #waiting: (() => void)[] = []

  /** Runs `work` when there is room. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < Math.floor(this.#limit)) this.#running++
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      this.#running--
      this.#admit()
    }
  }

  /** Tells how long one answer took, and whether the service throttled it. */
  learn(tookMs: number, throttled: boolean): void {
    const nowMs = performance.now()
    if (throttled) {
      if (nowMs - this.#steppedDownMs < THROTTLED_PAUSE_MS) return
      this.#steppedDownMs = nowMs
      this.#limit = Math.max(1, this.#limit * THROTTLED_SHARE)
      return
    }
    if (nowMs > this.#windowEndsMs) {
      this.#fastestBeforeMs = this.#fastestMs
      this.#fastestMs = Number.POSITIVE_INFINITY
      this.#windowEndsMs = nowMs + WINDOW_MS
    }
    this.#fastestMs = Math.min(this.#fastestMs, tookMs)
    this.#usualMs = this.#usualMs === undefined ? tookMs : this.#usualMs + (tookMs - this.#usualMs) * SMOOTHING
    const slowness = this.#usualMs / Math.min(this.#fastestMs, this.#fastestBeforeMs)
    if (slowness > SLOW) this.#limit = Math.max(FIRST, this.#limit - 1 / this.#limit)
    else if (this.#running >= Math.floor(this.#limit))
      this.#limit = Math.min(MOST, this.#limit + (slowness < QUICK ? 1 : 1 / this.#limit))
  }

  /** Whoever waits gets the place that is free, before anybody who comes later. */
  #admit(): void {
    while (this.#running < Math.floor(this.#limit)) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#running++
      next()
    }
  }
}
