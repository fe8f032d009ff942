// A job as a report carries it in its own file: everything that is shown, of tasks the ones that matter most.
import type { SeriesView, SpansView, TaskDetail, TaskRow, TasksView } from '../api.ts'
import { formatCount } from './format.ts'
import type { ReportData, ReportTask } from './report-data.ts'
import type { Source, TaskQuery, TimeRange } from './source.ts'

const PAGE_ROWS = 50

/** undefined on a page that is no report. */
export function openReportSource(): Source | undefined {
  const element = document.getElementById('report-data')
  if (element === null) return undefined
  const data = JSON.parse(element.textContent ?? '') as ReportData // written by the report's own code
  return {
    archivedAt: data.archivedAt,
    omitted: data.omitted,
    job: async () => data.job,
    series: async range => cutSeries(data.series, range),
    tasks: async (query, after) => pageOf(data, query, after),
    task: async taskId => detailOf(data, taskId),
    exceptions: async () => data.exceptions,
    slowest: async () => data.slowest,
    histogram: async () => data.histogram,
    vms: async () => data.vms,
    spans: async (vmId, range) => spansOf(data, vmId, range),
    follow: () => undefined,
    control: undefined,
  }
}

function detailOf(data: ReportData, taskId: string): TaskDetail {
  const detail = data.details.find(task => task.taskId === taskId)
  if (detail !== undefined) return detail
  const row =
    data.tasks.find(task => task.row.taskId === taskId)?.row ?? data.slowest.rows.find(task => task.taskId === taskId)
  if (row === undefined) throw new Error(`This report has no task "${taskId}". The job's database has all of them.`)
  return { ...row, attempts: [] }
}

function spansOf(data: ReportData, vmId: string, { fromS, toS }: TimeRange): SpansView | undefined {
  const columns = data.spans[vmId]
  if (columns === undefined) return undefined
  const spans = columns.startS.map((startS, index) => {
    const endS = startS + (columns.seconds[index] ?? 0)
    return { taskId: '', startS, endS, outcome: columns.outcomes[index] ?? '' }
  })
  return { spans: spans.filter(({ startS, endS }) => endS >= fromS && startS <= toS), cut: false }
}

function cutSeries(series: SeriesView, range: TimeRange | undefined): SeriesView {
  if (range === undefined) return series
  const inside = series.t.map(at => at + series.bucketSeconds >= range.fromS && at <= range.toS)
  const cut = <T>(column: readonly T[]) => column.filter((_, index) => inside[index])
  return {
    t: cut(series.t),
    bucketSeconds: series.bucketSeconds,
    completedPerSecond: cut(series.completedPerSecond),
    failedPerSecond: cut(series.failedPerSecond),
    waiting: cut(series.waiting),
    running: cut(series.running),
    vms: cut(series.vms),
    slots: cut(series.slots),
    usdPerHour: cut(series.usdPerHour),
    spentUsd: cut(series.spentUsd),
  }
}

function pageOf({ tasks, job }: ReportData, query: TaskQuery, after: string | undefined): TasksView {
  const matching = tasks.filter(task => matches(task, query)).map(({ row }) => row)
  const value = SORTS[query.sort]
  if (value !== undefined) matching.sort((a, b) => value(a) - value(b))
  if (query.descending) matching.reverse()
  const begin = Number(after ?? 0)
  const rows = matching.slice(begin, begin + PAGE_ROWS)
  const more = begin + rows.length < matching.length
  return {
    rows,
    totalMatching: matching.length,
    complete: true,
    ...(more ? { next: `${begin + rows.length}` } : undefined),
    ...(tasks.length < job.total ? { note: `of the ${formatCount(tasks.length)} that this report names` } : undefined),
  }
}

function matches({ row, group }: ReportTask, { status, exception, vm, search }: TaskQuery): boolean {
  return (
    (status === '' || status.split(',').includes(row.status)) &&
    (exception === '' || group === exception) &&
    (vm === '' || row.vmId === vm) &&
    row.taskId.includes(search)
  )
}

const SORTS: Readonly<Record<TaskQuery['sort'], ((row: TaskRow) => number) | undefined>> = {
  order: undefined,
  elapsed: row => row.elapsedSeconds ?? -1,
  attempts: row => row.attempt ?? -1,
  ended: row => (row.endedAt === undefined ? -1 : Date.parse(row.endedAt)),
}
