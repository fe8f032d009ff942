// What a report carries of a job in its own file. Types only, for the page and for the program that writes the report.
import type {
  ExceptionsView,
  HistogramView,
  JobView,
  SeriesView,
  SlowestView,
  TaskDetail,
  TaskRow,
  VmsView,
} from '../api.ts'

export interface ReportData {
  readonly archivedAt: string
  /** What was left out, as a sentence. */
  readonly omitted?: string
  readonly job: JobView
  readonly series: SeriesView
  readonly vms: VmsView
  readonly exceptions: ExceptionsView
  readonly slowest: SlowestView
  readonly histogram: HistogramView
  /** In the order of the job. */
  readonly tasks: readonly ReportTask[]
  readonly details: readonly TaskDetail[]
  /** By the id of a VM. */
  readonly spans: Readonly<Record<string, ReportSpans>>
}

export interface ReportTask {
  readonly row: TaskRow
  /** Id of an exception group. */
  readonly group?: string
}

/** The attempts on a VM as columns of equal length, oldest first. */
export interface ReportSpans {
  readonly startS: readonly number[]
  readonly seconds: readonly number[]
  readonly outcomes: readonly string[]
}
