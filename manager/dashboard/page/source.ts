// What the page needs to know about a job, wherever it comes from: a server that watches it, or a report's own data.
import type {
  ControlRequest,
  ExceptionsView,
  HistogramView,
  JobView,
  SeriesView,
  SlowestView,
  SpansView,
  TaskDetail,
  TaskSort,
  TasksView,
  VmsView,
} from '../api.ts'

/** Seconds since the epoch. */
export interface TimeRange {
  readonly fromS: number
  readonly toS: number
}

export interface TaskQuery {
  /** One status, or several with commas; empty = all. The same holds for the texts below. */
  readonly status: string
  readonly exception: string
  readonly vm: string
  readonly search: string
  readonly sort: TaskSort
  readonly descending: boolean
}

export interface Listener {
  readonly job: (view: JobView) => void
  /** Of the whole job. */
  readonly series: (view: SeriesView) => void
  /** Only the rows that changed. */
  readonly vms: (view: VmsView) => void
  /** Everything known is void. */
  readonly reset: () => void
  readonly connected: (connected: boolean) => void
}

export interface Source {
  /** An archive: nothing changes any more, and only the tasks that it names can be shown. */
  readonly archivedAt: string | undefined
  /** What the archive leaves out, as a sentence. */
  readonly omitted: string | undefined
  job(): Promise<JobView>
  series(range: TimeRange | undefined): Promise<SeriesView>
  tasks(query: TaskQuery, after: string | undefined): Promise<TasksView>
  task(taskId: string): Promise<TaskDetail>
  exceptions(): Promise<ExceptionsView>
  slowest(): Promise<SlowestView>
  histogram(): Promise<HistogramView>
  vms(): Promise<VmsView>
  /** undefined where they are not known. */
  spans(vmId: string, range: TimeRange): Promise<SpansView | undefined>
  follow(listener: Listener): void
  /** undefined if this page may not control the job. */
  readonly control: ((request: ControlRequest) => Promise<void>) | undefined
}
