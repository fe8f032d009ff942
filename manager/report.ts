// The final report as plain data, from the job DB alone. Dates are ISO texts so that it is the same in JSON.
import type { JobDb } from './job-db.ts'
import { type StatusCounts, totalCount, unfinishedCount } from './job-db-status.ts'
import type { VmRecord } from './job-db-vms.ts'
import { microUsdOf, readLedger, sumDivisions } from './ledger.ts'
import type { Distribution, ExceptionGroup, SlowTask } from './statistics.ts'

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
  /** Empty if there are fifty or more. */
  readonly unfinishedTaskIds: readonly string[]
  readonly slowestTasks: readonly SlowTask[]
  readonly cost: Cost
  /** Dearest first. */
  readonly instanceTypes: readonly InstanceTypeLine[]
  /** Dearest first. */
  readonly zones: readonly ZoneLine[]
}

export interface AttemptTotals {
  readonly total: number
  readonly preempted: number
  readonly retried: number
  /** How they ended: `completed`, `exception`, `timed_out`, `exited`, `interrupted`. */
  readonly byReason: Readonly<Record<string, number>>
}

export interface Cost {
  readonly usd: number
  readonly usdPerCompletedTask: number | undefined
  readonly vmCount: number
  readonly vmSeconds: number
  /** VMs whose price nobody knows: they are not in `usd`. */
  readonly unpricedVmCount: number
  /** Adds up to `usd`. undefined for a DB without ledger. */
  readonly parts: CostParts | undefined
}

export interface CostParts {
  /** Attempts that came to an end of their own. */
  readonly usefulUsd: number
  /** Attempts that were cut short. */
  readonly lostUsd: number
  readonly bootUsd: number
  readonly idleUsd: number
}

export interface InstanceTypeLine extends VmsLine {
  readonly instanceType: string
}

export interface ZoneLine extends VmsLine {
  readonly zone: string
}

interface VmsLine {
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
      byReason: statistics.attemptsByReason,
    },
    exceptions: statistics.exceptions,
    elapsedSeconds: statistics.elapsedSeconds,
    wallSeconds,
    tasksPerHour: wallSeconds ? (counts.completed / wallSeconds) * 3600 : undefined,
    firstEnqueuedAt: firstEnqueuedAt?.toISOString(),
    lastCompletedAt: lastCompletedAt?.toISOString(),
    spotTerminatedHosts: statistics.spotTerminatedHosts,
    unfinishedTaskIds: statistics.unfinishedTaskIds,
    slowestTasks: statistics.slowestTasks,
    cost: { ...sumCost(vms, counts.completed, now), parts: divideCost(db) },
    instanceTypes: groupVms(vms, now, vm => vm.instanceType).map(([instanceType, line]) => ({ instanceType, ...line })),
    zones: groupVms(vms, now, vm => vm.zone).map(([zone, line]) => ({ zone, ...line })),
  }
}

/** Money of one VM so far; 0 while nobody knows its price. In whole micro-dollars, as the ledger has it. */
function costOfVm(vm: VmRecord, now: Date): number {
  return microUsdOf(vm, now) / 1e6
}

function secondsOfVm(vm: VmRecord, now: Date): number {
  return Math.max(0, ((vm.endedAt ?? now).getTime() - vm.launchedAt.getTime()) / 1000)
}

function sumCost(vms: readonly VmRecord[], completedCount: number, now: Date): Omit<Cost, 'parts'> {
  const usd = sum(vms, vm => microUsdOf(vm, now)) / 1e6
  return {
    usd,
    usdPerCompletedTask: completedCount > 0 ? usd / completedCount : undefined,
    vmCount: vms.length,
    vmSeconds: sum(vms, vm => secondsOfVm(vm, now)),
    unpricedVmCount: vms.filter(vm => vm.priceUsdPerHour === undefined).length,
  }
}

function divideCost(db: JobDb): CostParts | undefined {
  const lines = readLedger(db.sqlite)
  if (lines.length === 0) return undefined
  const { useful, lost, boot, idle } = sumDivisions(lines.map(line => line.microUsd))
  return { usefulUsd: useful / 1e6, lostUsd: lost / 1e6, bootUsd: boot / 1e6, idleUsd: idle / 1e6 }
}

function groupVms(vms: readonly VmRecord[], now: Date, nameOf: (vm: VmRecord) => string): [string, VmsLine][] {
  return [...Map.groupBy(vms, vm => `${nameOf(vm)} ${vm.spot}`).values()]
    .flatMap(([first, ...rest]): [string, VmsLine][] => {
      if (first === undefined) return []
      const group = [first, ...rest]
      const line = {
        spot: first.spot,
        vmCount: group.length,
        vmSeconds: sum(group, vm => secondsOfVm(vm, now)),
        usd: sum(group, vm => costOfVm(vm, now)),
        completedCount: sum(group, vm => vm.completedCount),
        preemptedCount: group.filter(vm => vm.endReason === 'preempted').length,
      }
      return [[nameOf(first), line]]
    })
    .sort(([nameA, a], [nameB, b]) => b.usd - a.usd || nameA.localeCompare(nameB))
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0)
}

function secondsBetween(from: Date | undefined, to: Date | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : Math.max(0, (to.getTime() - from.getTime()) / 1000)
}
