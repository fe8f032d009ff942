// The final report as plain data, from the job DB alone. Dates are ISO texts so that it is the same in JSON.
import type { JobDb } from './job-db.ts'
import { type StatusCounts, totalCount, unfinishedCount } from './job-db-status.ts'
import type { VmRecord } from './job-db-vms.ts'
import type { Distribution, ExceptionGroup } from './statistics.ts'

export { renderReport } from './report-text.ts'

export interface Report {
  readonly jobId: string | undefined
  readonly totalCount: number
  readonly unfinishedCount: number
  readonly counts: StatusCounts
  /** True if every task is completed: the exit code's question. An empty job is. */
  readonly allCompleted: boolean
  readonly attempts: AttemptTotals
  readonly exceptions: readonly ExceptionGroup[]
  readonly elapsedSeconds: Distribution | undefined
  /** From the first task sent to the last one ended. */
  readonly wallSeconds: number | undefined
  readonly tasksPerHour: number | undefined
  readonly firstEnqueuedAt: string | undefined
  readonly lastCompletedAt: string | undefined
  readonly spotTerminatedHosts: readonly string[]
  readonly cost: Cost
  /** Dearest first. */
  readonly instanceTypes: readonly InstanceTypeLine[]
}

export interface AttemptTotals {
  readonly total: number
  readonly preempted: number
  readonly retried: number
}

export interface Cost {
  readonly usd: number
  readonly usdPerCompletedTask: number | undefined
  readonly vmCount: number
  readonly vmSeconds: number
  /** VMs whose price nobody knows: they are not in `usd`. */
  readonly unpricedVmCount: number
}

export interface InstanceTypeLine {
  readonly instanceType: string
  readonly spot: boolean
  readonly vmCount: number
  readonly vmSeconds: number
  readonly usd: number
  readonly completedCount: number
  /** Spot VMs that the cloud took back. */
  readonly preemptedCount: number
}

export function buildReport(db: JobDb, { now }: { readonly now: Date }): Report {
  const counts = db.counts()
  const vms = db.vms()
  const statistics = db.statistics()
  const { firstEnqueuedAt, lastCompletedAt } = statistics
  const total = totalCount(counts)
  const wallSeconds = secondsBetween(firstEnqueuedAt, lastCompletedAt)
  return {
    jobId: db.job().jobId,
    totalCount: total,
    unfinishedCount: unfinishedCount(counts),
    counts,
    allCompleted: counts.completed === total,
    attempts: {
      total: statistics.attemptCount,
      preempted: statistics.preemptionCount,
      retried: statistics.retriedCount,
    },
    exceptions: statistics.exceptions,
    elapsedSeconds: statistics.elapsedSeconds,
    wallSeconds,
    tasksPerHour: wallSeconds ? (counts.completed / wallSeconds) * 3600 : undefined,
    firstEnqueuedAt: firstEnqueuedAt?.toISOString(),
    lastCompletedAt: lastCompletedAt?.toISOString(),
    spotTerminatedHosts: statistics.spotTerminatedHosts,
    cost: sumCost(vms, counts.completed, now),
    instanceTypes: groupByType(vms, now),
  }
}

/** Money of one VM so far; 0 while nobody knows its price. */
export function costOfVm(vm: VmRecord, now: Date): number {
  return (secondsOfVm(vm, now) / 3600) * (vm.priceUsdPerHour ?? 0)
}

function secondsOfVm(vm: VmRecord, now: Date): number {
  return Math.max(0, ((vm.endedAt ?? now).getTime() - vm.launchedAt.getTime()) / 1000)
}

function sumCost(vms: readonly VmRecord[], completedCount: number, now: Date): Cost {
  const usd = sum(vms, vm => costOfVm(vm, now))
  return {
    usd,
    usdPerCompletedTask: completedCount > 0 ? usd / completedCount : undefined,
    vmCount: vms.length,
    vmSeconds: sum(vms, vm => secondsOfVm(vm, now)),
    unpricedVmCount: vms.filter(vm => vm.priceUsdPerHour === undefined).length,
  }
}

function groupByType(vms: readonly VmRecord[], now: Date): readonly InstanceTypeLine[] {
  return [...Map.groupBy(vms, vm => `${vm.instanceType} ${vm.spot}`).values()]
    .map(group => ({
      instanceType: group[0]?.instanceType ?? '',
      spot: group[0]?.spot ?? false,
      vmCount: group.length,
      vmSeconds: sum(group, vm => secondsOfVm(vm, now)),
      usd: sum(group, vm => costOfVm(vm, now)),
      completedCount: sum(group, vm => vm.completedCount),
      preemptedCount: group.filter(vm => vm.endReason === 'preempted').length,
    }))
    .sort((a, b) => b.usd - a.usd || a.instanceType.localeCompare(b.instanceType))
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0)
}

function secondsBetween(from: Date | undefined, to: Date | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : Math.max(0, (to.getTime() - from.getTime()) / 1000)
}
