// Renders a report for people: one screen, the money included.
import { TASK_STATUSES, type TaskStatus } from './job-db-status.ts'
import { renderTable } from './render-table.ts'
import type { InstanceTypeLine, Report, ZoneLine } from './report.ts'

export function renderReport(report: Report): string {
  const title = report.unfinishedCount === 0 ? 'JOB COMPLETE' : `${count(report.unfinishedCount)} TASKS UNFINISHED`
  const sections = [
    [report.jobId === undefined ? title : `${title}: ${report.jobId}`, '='.repeat(60)],
    renderTasks(report),
    renderTimes(report),
    renderExceptions(report),
    renderSlowest(report),
    renderMoney(report),
    renderVms(report),
  ]
  return sections
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n')
}

const SINGULAR: Readonly<Record<TaskStatus, string>> = {
  pending: 'Pending (not sent)',
  in_queue_original: 'In queue or running',
  completed_with_retry: 'Completed, to run again',
  exception_with_retry: 'Exception, to run again',
  timed_out_with_retry: 'Timed out, to run again',
  exited_without_status_with_retry: 'Exited, to run again',
  completed: 'Completed',
  exception: 'Exception',
  timed_out: 'Timed out',
  exited_without_status: 'Exited without status',
  failed: 'Failed (dead letters)',
}

function renderTasks({ counts, totalCount, attempts, unfinishedTaskIds }: Report): readonly string[] {
  const lines = TASK_STATUSES.filter(status => counts[status] !== 0).map(status => {
    const share = totalCount > 0 ? `  ${((counts[status] / totalCount) * 100).toFixed(1).padStart(5)} %` : ''
    return row(SINGULAR[status], `${count(counts[status]).padStart(12)}${share}`)
  })
  const attemptsLine = `${count(attempts.total).padStart(12)}  (${count(attempts.retried)} retried, ${count(attempts.preempted)} preempted)`
  const reasons = Object.entries(attempts.byReason).map(
    ([reason, times]) => `${count(times)} ${reason.replace('_', ' ')}`,
  )
  return [
    row('Total tasks', count(totalCount).padStart(12)),
    ...lines,
    row('Attempts', attemptsLine),
    ...(reasons.length > 1 ? [row('  ended so', reasons.join(', '))] : []),
    ...(unfinishedTaskIds.length > 0 ? [row('Unfinished', unfinishedTaskIds.join(', '))] : []),
  ]
}

function renderTimes({ elapsedSeconds: elapsed, wallSeconds, tasksPerHour }: Report): readonly string[] {
  const lines: string[] = []
  if (wallSeconds !== undefined) lines.push(row('Wall time', duration(wallSeconds)))
  if (tasksPerHour !== undefined) {
    lines.push(row('Rate', `${count(Math.round(tasksPerHour))} tasks/hour (${number(tasksPerHour / 3600)} tasks/s)`))
  }
  if (elapsed !== undefined) {
    lines.push(
      row('Time per task', `${seconds(elapsed.min)} to ${seconds(elapsed.max)}`),
      row('  mean ± σ', `${seconds(elapsed.mean)} ± ${seconds(elapsed.standardDeviation)}`),
      row('  median, p90, p95', [elapsed.median, elapsed.p90, elapsed.p95].map(seconds).join(', ')),
    )
  }
  return lines
}

const MAX_EXCEPTION_CHARS = 100

function renderExceptions({ exceptions }: Report): readonly string[] {
  if (exceptions.length === 0) return []
  return [
    'Most frequent exceptions',
    ...exceptions.map(({ text, count: times }) => `${count(times).padStart(9)} × ${firstAndLast(text)}`),
  ]
}

/** The first and the last line of a traceback say where and what. */
function firstAndLast(text: string): string {
  const lines = text.trim().split('\n')
  const last = lines.at(-1)?.trim() ?? ''
  const both = lines.length > 1 ? `${lines[0]?.trim()} … ${last}` : last
  return both.length > MAX_EXCEPTION_CHARS ? `${both.slice(0, MAX_EXCEPTION_CHARS - 1)}…` : both
}

/** Only where they stand out: of tasks that all take the same time the slowest are no news. */
function renderSlowest({ slowestTasks, elapsedSeconds: elapsed }: Report): readonly string[] {
  if (elapsed === undefined || elapsed.max < 1 || elapsed.max < 2 * elapsed.median) return []
  return [
    'Slowest tasks',
    ...slowestTasks.map(({ taskId, elapsedSeconds, status, hostname }) => {
      const rest = [status, ...(hostname === undefined ? [] : [`on ${hostname}`])].join(' ')
      return `${seconds(elapsedSeconds).padStart(13)}  ${taskId}  (${rest})`
    }),
  ]
}

function renderMoney({ cost, spotTerminatedHosts }: Report): readonly string[] {
  if (cost.vmCount === 0 && spotTerminatedHosts.length === 0) return []
  const perMillion =
    cost.usdPerCompletedTask === undefined ? '' : `, ${money(cost.usdPerCompletedTask * 1e6)} per million tasks`
  const lines = [
    row('Cost', `${money(cost.usd)}  (${hours(cost.vmSeconds)} VM-hours on ${count(cost.vmCount)} VMs${perMillion})`),
  ]
  if (cost.unpricedVmCount > 0)
    lines.push(row('', `without ${count(cost.unpricedVmCount)} VMs whose price is not known`))
  if (cost.parts !== undefined && cost.usd > 0) {
    const { usefulUsd, lostUsd, bootUsd, idleUsd } = cost.parts
    const part = (usd: number, what: string) => `${((usd / cost.usd) * 100).toFixed(1)} % ${what}`
    const parts = [
      part(usefulUsd, 'work'),
      part(lostUsd, 'lost to preemptions'),
      part(bootUsd, 'boot'),
      part(idleUsd, 'idle'),
    ]
    lines.push(row('  of which', parts.join(', ')))
  }
  if (spotTerminatedHosts.length > 0) lines.push(row('Spot-terminated hosts', spotTerminatedHosts.join(', ')))
  return lines
}

function renderVms({ instanceTypes, zones }: Report): readonly string[] {
  if (instanceTypes.length === 0) return []
  const head = ['Kind', 'VMs', 'Preempted', 'VM-hours', 'Cost', 'Completed']
  const cells = (line: InstanceTypeLine | ZoneLine) => [
    line.spot ? 'spot' : 'on demand',
    count(line.vmCount),
    count(line.preemptedCount),
    hours(line.vmSeconds),
    money(line.usd),
    count(line.completedCount),
  ]
  const types = instanceTypes.map(line => [line.instanceType, ...cells(line)])
  const byType = renderTable(['Instance type', ...head], types).split('\n')
  if (zones.length < 2) return byType
  return [
    ...byType,
    '',
    ...renderTable(
      ['Zone', ...head],
      zones.map(line => [line.zone, ...cells(line)]),
    ).split('\n'),
  ]
}

function row(label: string, value: string): string {
  return `${label.padEnd(26)}${value}`
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

function number(value: number): string {
  return value >= 100 ? count(Math.round(value)) : value.toPrecision(3)
}

function seconds(value: number): string {
  return `${value.toFixed(value < 1 ? 4 : 2)} s`
}

function hours(value: number): string {
  return (value / 3600).toFixed(value < 360 ? 4 : 2)
}

/** Cents matter for small jobs, so small sums keep their digits. */
function money(usd: number): string {
  return `$${usd >= 1 || usd === 0 ? usd.toFixed(2) : usd.toPrecision(2)}`
}

function duration(value: number): string {
  const whole = Math.floor(value)
  const rest = value < 60 ? `${value.toFixed(2)} s` : `${whole % 60} s`
  const minutes = value >= 60 ? `${Math.floor(whole / 60) % 60} m ` : ''
  return `${value >= 3600 ? `${Math.floor(whole / 3600)} h ` : ''}${minutes}${rest}`
}
