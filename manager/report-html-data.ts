// Picks what a report carries of a job: all figures, and of tasks and VMs so many that the file can be mailed.
import { answerExceptions, answerSlowest } from './dashboard/answers.ts'
import type { TaskDetail, VmRow } from './dashboard/api.ts'
import { findTasks, type TaskFilter, type TaskOrder } from './dashboard/find-tasks.ts'
import { buildHistogram } from './dashboard/histogram.ts'
import type { JobFollower } from './dashboard/job-follower.ts'
import type { ReportData, ReportSpans, ReportTask } from './dashboard/page/report-data.ts'
import { readTaskDetail, readTaskRows } from './dashboard/task-rows-view.ts'
import { readSpans } from './dashboard/vm-rows.ts'
import { FINAL_STATUSES, UNFINISHED_STATUSES } from './job-db-status.ts'

const FAILURES = 1000
const SLOWEST = 500
const ANY = 1000 // of a small job: all of them
const ROW_CHARACTERS = 160
const DETAIL_CHARACTERS = 4000
const ALL_DETAILS_CHARACTERS = 800_000
const VMS = 2000
const ATTEMPTS = 20_000 // with more, the bars of VMs show no tasks
const POINTS = 600

/** `follower` has read everything. */
export function collectReport(follower: JobFollower, now: Date): ReportData {
  const job = follower.job(now)
  const vms = follower.vms()
  const slowest = answerSlowest(follower)
  const rows = chooseTasks(follower)
  const tasks = readTasks(follower, rows)
  const shownVms = vms.slice(-VMS)
  return {
    archivedAt: now.toISOString(),
    ...omission({ taskCount: job.total, namedTasks: tasks.length, vmCount: vms.length, namedVms: shownVms.length }),
    job: { ...job, control: false },
    series: follower.series({ points: POINTS }),
    vms: { vms: shownVms },
    exceptions: answerExceptions(follower),
    slowest: { rows: slowest.rows.slice(0, 20) },
    histogram: buildHistogram(follower.index),
    tasks,
    details: readDetails(
      follower,
      tasks.map(({ row }) => row.taskId),
    ),
    spans: readAllSpans(follower, shownVms),
  }
}

interface Omission {
  readonly taskCount: number
  readonly namedTasks: number
  readonly vmCount: number
  readonly namedVms: number
}

function omission({ taskCount, namedTasks, vmCount, namedVms }: Omission): { omitted?: string } {
  const number = (value: number) => value.toLocaleString('en-US')
  const sentences = [
    ...(namedTasks < taskCount
      ? [`Of ${number(taskCount)} tasks this file names ${number(namedTasks)}: failed ones and the slowest.`]
      : []),
    ...(namedVms < vmCount ? [`Of ${number(vmCount)} VMs it shows the last ${number(namedVms)}.`] : []),
  ]
  return sentences.length === 0 ? {} : { omitted: `${sentences.join(' ')} The job's database has all.` }
}

/** Rows of the tasks that matter most, in the order of the job. */
function chooseTasks({ index }: JobFollower): readonly number[] {
  const find = (filter: TaskFilter, order: TaskOrder) => findTasks(index, filter, order).rows
  const inOrder = { sort: 'order', descending: false } as const
  const all = find({ statuses: [] }, { ...inOrder, limit: ANY + 1 })
  if (all.length <= ANY) return all
  const failed = FINAL_STATUSES.filter(status => status !== 'completed')
  const again = UNFINISHED_STATUSES.filter(status => status.endsWith('_with_retry'))
  const rows = [
    ...find({ statuses: failed }, { ...inOrder, limit: FAILURES }),
    ...find({ statuses: again }, { ...inOrder, limit: FAILURES / 4 }),
    ...find({ statuses: [] }, { sort: 'elapsed', descending: true, limit: SLOWEST }),
  ]
  return [...new Set(rows)].sort((a, b) => a - b)
}

function readTasks({ watched, index }: JobFollower, rows: readonly number[]): readonly ReportTask[] {
  return rows.flatMap(row => {
    const [task] = readTaskRows(watched, index, [row])
    if (task === undefined) return []
    const { result, exception, ...rest } = task
    const group = index.failures.groups[index.tasks.group[row] ?? 0]?.id
    const texts = {
      ...(result === undefined ? undefined : { result: cut(result, ROW_CHARACTERS) }),
      ...(exception === undefined ? undefined : { exception: cut(exception, ROW_CHARACTERS) }),
    }
    return [{ row: { ...rest, ...texts }, ...(group ? { group } : undefined) }]
  })
}

/** As many as there is room for. */
function readDetails({ watched }: JobFollower, taskIds: readonly string[]): readonly TaskDetail[] {
  const details: TaskDetail[] = []
  let room = ALL_DETAILS_CHARACTERS
  for (const taskId of taskIds) {
    const detail = readTaskDetail(watched, taskId)
    if (detail === undefined) continue
    const short = shorten(detail)
    room -= JSON.stringify(short).length
    if (room < 0) break
    details.push(short)
  }
  return details
}

/** The events as they came say nothing that is not shown beside them. */
function shorten(detail: TaskDetail): TaskDetail {
  const texts = cutTexts(detail)
  return { ...texts, attempts: detail.attempts.slice(-10).map(attempt => ({ ...cutTexts(attempt), raw: '' })) }
}

function cutTexts<T extends object>(fields: T): T {
  const short = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === 'string' && name !== 'taskId' ? cut(value, DETAIL_CHARACTERS) : value,
  ])
  return Object.fromEntries(short) as T // the same fields, some of them shorter
}

function readAllSpans({ watched, index }: JobFollower, vms: readonly VmRow[]): Readonly<Record<string, ReportSpans>> {
  if (index.attempts.count > ATTEMPTS) return {}
  const whole = { fromS: 0, toS: Number.POSITIVE_INFINITY }
  return Object.fromEntries(
    vms.map(vm => {
      const { spans } = readSpans(watched, index, { vmId: vm.id, ...whole })
      const columns = {
        startS: spans.map(span => span.startS),
        seconds: spans.map(span => Math.round((span.endS - span.startS) * 1000) / 1000),
        outcomes: spans.map(span => span.outcome),
      }
      return [vm.id, columns]
    }),
  )
}

function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters)}…`
}
