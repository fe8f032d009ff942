// Follows one database file through its life: reads it into an index, begins anew when another job takes its place, and keeps
// what is dear to compute for a moment.
import { statSync } from 'node:fs'
import { systemClock } from '../../core/clock.ts'
import type { HistogramView, JobView, SeriesView, VmRow } from './api.ts'
import { type Forecast, foretell } from './eta-view.ts'
import { buildHistogram } from './histogram.ts'
import { IndexFiller } from './index-filler.ts'
import { JobIndex } from './job-index.ts'
import { buildJobView, type EffectiveLimits, readEffectiveLimits, readLastDecision } from './job-view.ts'
import { buildSeries, type SeriesRange } from './series.ts'
import { readVmRows } from './vm-rows.ts'
import { WatchedDb } from './watched-db.ts'

export interface JobFollowerOptions {
  readonly file: string
  /** The page may ask the manager for something. */
  readonly control: boolean
  /** Part of the time that may be spent on reading. */
  readonly load: number
}

const FORECAST_MS = 5000
const VMS_MS = 1000
const HISTOGRAM_MS = 500

export class JobFollower {
  readonly watched: WatchedDb
  readonly #control: boolean
  readonly #load: number
  #index = new JobIndex()
  #filler: IndexFiller
  /** Raised when another database has taken the place of the first. */
  generation = 0
  #vms: Kept<readonly VmRow[]> | undefined
  #histogram: Kept<HistogramView> | undefined
  #forecast: Kept<Forecast | undefined> | undefined
  #limits: { readonly decision: number; readonly value: EffectiveLimits } | undefined

  /** Throws a UserError if there is no job in the file. */
  constructor({ file, control, load }: JobFollowerOptions) {
    this.watched = new WatchedDb(file)
    this.#control = control
    this.#load = load
    this.#filler = this.#newFiller()
  }

  get index(): JobIndex {
    return this.#index
  }

  /** Reads until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#filler.run(signal)
      if (signal.aborted) return
      this.#index = new JobIndex()
      this.#filler = this.#newFiller()
      this.#vms = undefined
      this.#histogram = undefined
      this.#forecast = undefined
      this.#limits = undefined
      this.generation++
    }
  }

  job(now = new Date()): JobView {
    // A forecast walks through all that is known, so it is not made each second.
    this.#forecast = kept(this.#forecast, FORECAST_MS, () => this.#foretell(this.#view(undefined, now), now))
    return this.#view(this.#forecast.value, now)
  }

  vms(): readonly VmRow[] {
    this.#vms = kept(this.#vms, VMS_MS, () => readVmRows(this.watched, this.#index))
    return this.#vms.value
  }

  series(range: SeriesRange, job: JobView = this.job()): SeriesView {
    const { starting, running, stopping } = job.vms
    const goesOn = job.managerAlive || starting + running + stopping > 0 || (job.tasksPerSecond ?? 0) > 0
    const parts = { watched: this.watched, index: this.#index, vms: this.vms(), nowMs: systemClock.now(), goesOn }
    return buildSeries(parts, range)
  }

  histogram(): HistogramView {
    this.#histogram = kept(this.#histogram, HISTOGRAM_MS, () => buildHistogram(this.#index))
    return this.#histogram.value
  }

  close(): void {
    this.watched.close()
  }

  #newFiller(): IndexFiller {
    return new IndexFiller({ watched: this.watched, index: this.#index, load: this.#load })
  }

  #view(forecast: Forecast | undefined, now: Date): JobView {
    return buildJobView({
      watched: this.watched,
      index: this.#index,
      control: this.#control,
      forecast,
      limits: this.#readLimits(),
      dbChangedAt: changedAt(this.watched.file),
      now,
    })
  }

  #foretell({ doneCount, total, cost: { spentUsd, capUsd } }: JobView, now: Date): Forecast | undefined {
    const { index } = this
    if (doneCount === total || !index.complete) return undefined
    return foretell({ index, vms: this.vms(), total, spentUsd, capUsd, nowMs: now.getTime() })
  }

  /** They stand in what a decision was made from, which may be long: read once for each. */
  #readLimits(): EffectiveLimits {
    const decision = readLastDecision(this.watched)
    if (this.#limits?.decision !== decision) this.#limits = { decision, value: readEffectiveLimits(this.watched) }
    return this.#limits.value
  }
}

interface Kept<Value> {
  readonly value: Value
  readonly untilMs: number
}

/** What takes long to compute is kept for longer. */
function kept<Value>(old: Kept<Value> | undefined, forMs: number, compute: () => Value): Kept<Value> {
  const startedMs = performance.now()
  if (old !== undefined && startedMs < old.untilMs) return old
  const value = compute()
  const endedMs = performance.now()
  return { value, untilMs: endedMs + Math.max(forMs, 20 * (endedMs - startedMs)) }
}

function changedAt(file: string): string | undefined {
  const times = [file, `${file}-wal`].flatMap(path => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? [])
  return times.length === 0 ? undefined : new Date(Math.max(...times)).toISOString()
}
