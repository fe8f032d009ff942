// A VM in words.
import type { SpanView, VmRow } from '../api.ts'
import { formatCount, formatDuration, formatTime, formatUsd } from './format.ts'
import { epochS } from './shown-range.ts'
import { outcomeWord } from './status.ts'

export function describeVm(vm: VmRow, now: Date): string {
  return [`${vm.id}  ${kindOf(vm)}`, ...factsOf(vm, now).map(([name, value]) => `${name}: ${value}`)].join('\n')
}

/** A report carries no ids of the tasks in the bars. */
export function describeSpan({ taskId, outcome, startS, endS }: SpanView): string {
  const task = taskId === '' ? 'A task' : taskId
  return `${task}: ${outcomeWord(outcome)} after ${formatDuration(endS - startS)}`
}

export function kindOf({ type, zone, spot }: VmRow): string {
  return [type, zone, spot === undefined ? undefined : spot ? 'spot' : 'on demand'].filter(Boolean).join(', ')
}

export function factsOf(vm: VmRow, now: Date): readonly (readonly [string, string])[] {
  const launchedS = epochS(vm.launchedAt) ?? 0
  const endS = epochS(vm.endedAt) ?? now.getTime() / 1000
  const readyS = epochS(vm.readyAt)
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['State', vm.state],
    ['Launched', timeOf(vm.launchedAt)],
    ['Began work', readyS === undefined ? undefined : `after ${formatDuration(readyS - launchedS)}`],
    ['Notice', timeOf(vm.noticeAt)],
    [
      'Ended',
      vm.endedAt === undefined
        ? undefined
        : `${timeOf(vm.endedAt)}${vm.endReason === undefined ? '' : `, ${vm.endReason}`}`,
    ],
    ['Lived', formatDuration(endS - launchedS)],
    ['Attempts', `${formatCount(vm.attempts)}, ${formatCount(vm.completed)} completed`],
    ['Price', vm.priceUsdPerHour === undefined ? undefined : `${formatUsd(vm.priceUsdPerHour)} an hour`],
    ['Cost', vm.costUsd === undefined ? undefined : formatUsd(vm.costUsd)],
  ]
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
}

function timeOf(iso: string | undefined): string | undefined {
  return iso === undefined ? undefined : formatTime(new Date(iso), { seconds: true })
}
