// Says in words how a job stands, as one line for a log and in parts for a terminal's block. Pure, but for the meter's memory.
import type { Vm } from '../infra/provider.ts'
import type { EndForecast } from './eta.ts'
import { FINAL_STATUSES, type StatusCounts, totalCount, unfinishedCount } from './job-db-status.ts'

export interface ProgressView {
  readonly jobId: string
  readonly now: Date
  readonly counts: StatusCounts
  /** Tasks that agents hold; undefined = not known. */
  readonly heldCount: number | undefined
  readonly vms: readonly Vm[]
  readonly spentUsd: number
  /** max_total_cost. */
  readonly capUsd: number | undefined
  /** undefined = not known yet. */
  readonly tasksPerSecond: number | undefined
  /** undefined = too little is known. */
  readonly forecast: EndForecast | undefined
}

const WINDOW_MS = 30_000 // long enough to be calm, short enough to notice that VMs were lost

/** Measures the rate over the last half minute. */
export class ProgressMeter {
  #samples: { readonly at: number; readonly doneCount: number }[] = []

  sample(doneCount: number, now: number): number | undefined {
    this.#samples.push({ at: now, doneCount })
    while (this.#samples.length > 2 && (this.#samples[1]?.at ?? now) < now - WINDOW_MS) this.#samples.shift()
    const first = this.#samples[0]
    if (first === undefined || now - first.at < 1000) return undefined
    return Math.max(0, ((doneCount - first.doneCount) * 1000) / (now - first.at))
  }
}

export function doneCount(counts: StatusCounts): number {
  return totalCount(counts) - unfinishedCount(counts)
}

export function failedCount(counts: StatusCounts): number {
  return FINAL_STATUSES.reduce((sum, status) => sum + (status === 'completed' ? 0 : counts[status]), 0)
}

/** Attempts have ended, and others are to follow. */
export function waitingAgainCount(counts: StatusCounts): number {
  return (
    counts.completed_with_retry +
    counts.exception_with_retry +
    counts.timed_out_with_retry +
    counts.exited_without_status_with_retry
  )
}

export function renderLine(view: ProgressView): string {
  const { counts, heldCount } = view
  const again = waitingAgainCount(counts)
  return [
    `${renderCount(doneCount(counts))} of ${renderCount(totalCount(counts))} tasks done (${renderPercent(view)})`,
    ...(heldCount === undefined || heldCount === 0 ? [] : [`${renderCount(heldCount)} running`]),
    `${renderCount(failedCount(counts))} failed`,
    ...(again > 0 ? [`${renderCount(again)} to be tried again`] : []),
    ...(counts.pending > 0 ? [`${renderCount(counts.pending)} to be sent`] : []),
    ...timeParts(view),
    ...vmParts(view),
    ...moneyParts(view),
  ].join(', ')
}

/** 100 % is said only when it is true. */
export function renderPercent({ counts }: Pick<ProgressView, 'counts'>): string {
  const total = totalCount(counts)
  return `${total === 0 ? 100 : Math.floor((doneCount(counts) / total) * 100)} %`
}

/** How fast, and when it ends: the middle of what is likely, and its bounds. */
export function timeParts({ counts, now, tasksPerSecond, forecast }: ProgressView): string[] {
  const rate =
    tasksPerSecond === undefined
      ? []
      : [`${tasksPerSecond >= 10 ? renderCount(Math.round(tasksPerSecond)) : tasksPerSecond.toFixed(1)} tasks/s`]
  if (forecast === undefined || unfinishedCount(counts) === 0) return rate
  const left = (at: Date) => renderDuration(Math.max(0, at.getTime() - now.getTime()) / 1000)
  const [early, middle, late] = [left(forecast.p10At), left(forecast.p50At), left(forecast.p90At)]
  return [...rate, early === late ? `${middle} left` : `${middle} left (${early} – ${late})`]
}

export function vmParts({ vms }: Pick<ProgressView, 'vms'>): string[] {
  const preempted = vms.filter(vm => vm.endReason === 'preempted').length
  const running = countIn(vms, 'running')
  const states = [`${renderCount(running)} VM${running === 1 ? '' : 's'} running`]
  for (const state of ['starting', 'stopping'] as const) {
    const count = countIn(vms, state)
    if (count > 0) states.push(`${renderCount(count)} ${state}`)
  }
  if (preempted > 0) states.push(`${renderCount(preempted)} preempted`)
  return [states.join(', ')]
}

/** Spent, against the limit if there is one; the rate; what it will have been in the end. */
export function moneyParts({ vms, spentUsd, capUsd, forecast, counts }: ProgressView): string[] {
  const usdPerHour = usdPerHourOf(vms)
  const spent = `${usd(spentUsd)}${capUsd === undefined ? '' : ` of ${usd(capUsd)}`} so far`
  const parts = [`${spent}${usdPerHour > 0 ? ` at ${usd(usdPerHour)}/h` : ''}`]
  const rest = forecast?.remainingUsd
  if (rest === undefined || usdPerHour === 0 || unfinishedCount(counts) === 0) return parts
  const [least, middle, most] = [usd(spentUsd + rest.p10), usd(spentUsd + rest.p50), usd(spentUsd + rest.p90)]
  return [...parts, least === most ? `${middle} in the end` : `${middle} in the end (${least} – ${most})`]
}

/** Of the VMs that are billed. */
export function usdPerHourOf(vms: readonly Vm[]): number {
  return vms.reduce(
    (sum, vm) => sum + (vm.state === 'starting' || vm.state === 'running' ? (vm.priceUsdPerHour ?? 0) : 0),
    0,
  )
}

/** `2 d 05 h`, `1 h 05 min`, `3 min 20 s`, `12 s`. */
export function renderDuration(seconds: number): string {
  const whole = Math.ceil(seconds)
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)]
  if (hours >= 48) return `${Math.floor(hours / 24)} d ${String(hours % 24).padStart(2, '0')} h`
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, '0')} min`
  return minutes > 0 ? `${minutes} min ${String(whole % 60).padStart(2, '0')} s` : `${whole} s`
}

export function renderCount(value: number): string {
  return value.toLocaleString('en-US')
}

function countIn(vms: readonly Vm[], state: Vm['state']): number {
  return vms.filter(vm => vm.state === state).length
}

function usd(amount: number): string {
  return `$${amount.toFixed(amount < 1 ? 4 : 2)}`
}
