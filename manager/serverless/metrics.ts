// What a look found, as a line that CloudWatch turns into metrics by itself, without a request:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
import type { TickSummary } from './tick.ts'

const NAMESPACE = 'CloudTasks'

export function renderMetrics(
  jobId: string,
  { backlog, vmCount, spentUsd, usdPerHour, stopped }: Extract<TickSummary, { kind: 'looked' }>,
  now: Date,
): string {
  const values = {
    Backlog: backlog,
    Vms: vmCount,
    SpentUsd: round(spentUsd),
    UsdPerHour: round(usdPerHour),
    Stopped: stopped === undefined ? 0 : 1,
  }
  const metrics = Object.keys(values).map(name => ({ Name: name, Unit: UNITS.get(name) ?? 'None' }))
  return JSON.stringify({
    _aws: {
      Timestamp: now.getTime(),
      CloudWatchMetrics: [{ Namespace: NAMESPACE, Dimensions: [['JobId']], Metrics: metrics }],
    },
    JobId: jobId,
    ...values,
  })
}

const UNITS = new Map([
  ['Backlog', 'Count'],
  ['Vms', 'Count'],
])

function round(usd: number): number {
  return Number(usd.toFixed(6))
}
