// Remembers how a job went, in bounded memory, as what its end is reckoned from: samples of its progress, and how long tasks take.

export interface ProgressSample {
  readonly atMs: number
  /** Tasks that ended for good, however. */
  readonly doneCount: number
  readonly unfinishedCount: number
  /** Tasks that the running VMs can run at once; undefined = not known. */
  readonly slotCount?: number | undefined
  /** The same of VMs that are on their way. */
  readonly startingSlotCount?: number | undefined
  /** The same of VMs that were taken away, all together so far. */
  readonly lostSlotCount?: number | undefined
  /** Tasks of which an attempt has ended that is to be followed by another. */
  readonly againCount?: number | undefined
  /** Of all VMs that are billed. */
  readonly usdPerHour?: number | undefined
}

const MAX_SAMPLES = 400 // thinned to half when full: a job of days keeps one every few minutes
const MAX_TASK_TIMES = 256
const LOOKED_AT = 16 // events of a batch: finding a number in a thousand of them would cost more than it tells

export class ProgressHistory {
  #samples: ProgressSample[] = []
  readonly #taskSeconds: number[] = []
  #seenCount = 0
  #laterCount = 0
  #failedAgainCount = 0
  #leastGapMs = 0

  /** Oldest first, the latest one always among them. */
  get samples(): readonly ProgressSample[] {
    return this.#samples
  }

  /** A sample of attempts that ended, each as likely to be in it as any other. */
  get taskSeconds(): readonly number[] {
    return this.#taskSeconds
  }

  /** Share of the attempts after a first one that are followed by yet another; a third until something is known. */
  get againShare(): number {
    return (this.#failedAgainCount + 1) / (this.#laterCount + 3)
  }

  add(sample: ProgressSample): void {
    const samples = this.#samples
    const [before, last] = [samples.at(-2), samples.at(-1)]
    // The latest is replaced until it is far enough from the one before it.
    if (before !== undefined && last !== undefined && last.atMs - before.atMs < this.#leastGapMs) samples.pop()
    samples.push(sample)
    if (samples.length < MAX_SAMPLES) return
    const latest = samples.length - 1
    this.#samples = samples.filter((_, index) => index % 2 === 0 || index === latest)
    const first = this.#samples[0]?.atMs ?? sample.atMs
    this.#leastGapMs = (sample.atMs - first) / (MAX_SAMPLES / 2)
  }

  /** Events as JSON: some of them are looked at. */
  hear(events: readonly string[]): void {
    const step = Math.max(1, Math.floor(events.length / LOOKED_AT))
    for (let index = 0; index < events.length; index += step) {
      const event = events[index] ?? ''
      const found = ELAPSED_OF_ATTEMPT.exec(event)?.[1]
      if (found === undefined) continue
      this.#addTaskSeconds(Number(found))
      if (!LATER_ATTEMPT.test(event)) continue
      this.#laterCount += 1
      if (event.includes('"retry":true')) this.#failedAgainCount += 1
    }
  }

  #addTaskSeconds(seconds: number): void {
    this.#seenCount += 1
    if (this.#taskSeconds.length < MAX_TASK_TIMES) this.#taskSeconds.push(seconds)
    else {
      const place = Math.floor(Math.random() * this.#seenCount)
      if (place < MAX_TASK_TIMES) this.#taskSeconds[place] = seconds
    }
  }
}

/** Of an attempt that came to an end of its own. The first of that name: what the task returned comes after it. */
export const ELAPSED_OF_ATTEMPT = /"event_type":\s*"task_(?!interrupted).*?"elapsed_time":\s*([\d.e-]+)/
const LATER_ATTEMPT = /"attempt":(?!1\D)\d/
