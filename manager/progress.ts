// Says how a job stands, as a block for a terminal or as one line for a log. Pure, but for the meter's memory of the last minute.
import type { Vm } from '../infra/provider.ts'
import { FINAL_STATUSES, type StatusCounts, totalCount, unfinishedCount } from './job-db-status.ts'

export interface ProgressView {
  readonly jobId: string
  readonly counts: StatusCounts
  /** Tasks that agents hold; undefined = not known. */
  readonly heldCount: number | undefined
  readonly vms: readonly Vm[]
  readonly spentUsd: number
  /** undefined = not known yet. */
  readonly tasksPerSecond: number | undefined
}

export interface BlockStyle {
  readonly columnCount: number
  readonly color: boolean
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

export function renderBlock(view: ProgressView, { columnCount, color }: BlockStyle): string[] {
  const { done, total, percent } = shareOf(view)
  const width = Math.max(10, Math.min(40, columnCount - view.jobId.length - 32))
  const filled = total === 0 ? width : Math.floor((done / total) * width)
  const bar = paint('█'.repeat(filled), GREEN, color) + paint('░'.repeat(width - filled), DIM, color)
  const rest = [...tasksParts(view), ...timeParts(view)]
  const lines = [
    `${paint(view.jobId, BOLD, color)}  ${bar}  ${count(done)} of ${count(total)}  ${percent}`,
    `  ${rest.join('  ·  ')}`,
    `  ${vmParts(view).join('  ·  ')}`,
  ]
  return lines.map(line => cut(line, columnCount - 1))
}

export function renderLine(view: ProgressView): string {
  const { done, total, percent } = shareOf(view)
  return [
    `${count(done)} of ${count(total)} tasks done (${percent})`,
    ...tasksParts(view),
    ...timeParts(view),
    ...vmParts(view),
  ].join(', ')
}

/** `1 h 05 min`, `3 min 20 s`, `12 s`. */
export function renderDuration(seconds: number): string {
  const whole = Math.ceil(seconds)
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)]
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, '0')} min`
  return minutes > 0 ? `${minutes} min ${String(whole % 60).padStart(2, '0')} s` : `${whole} s`
}

function shareOf({ counts }: ProgressView): { done: number; total: number; percent: string } {
  const total = totalCount(counts)
  const done = doneCount(counts)
  // 100 % is said only when it is true.
  return { done, total, percent: `${total === 0 ? 100 : Math.floor((done / total) * 100)} %` }
}

function tasksParts({ counts, heldCount }: ProgressView): string[] {
  const failed = FINAL_STATUSES.reduce((sum, status) => sum + (status === 'completed' ? 0 : counts[status]), 0)
  const again = counts.exception_with_retry + counts.timed_out_with_retry + counts.exited_without_status_with_retry
  return [
    ...(heldCount === undefined || heldCount === 0 ? [] : [`${count(heldCount)} running`]),
    `${count(failed)} failed`,
    ...(again > 0 ? [`${count(again)} to be tried again`] : []),
    ...(counts.pending > 0 ? [`${count(counts.pending)} to be sent`] : []),
  ]
}

function timeParts({ counts, tasksPerSecond }: ProgressView): string[] {
  if (tasksPerSecond === undefined) return []
  const rate = `${tasksPerSecond >= 10 ? count(Math.round(tasksPerSecond)) : tasksPerSecond.toFixed(1)} tasks/s`
  const left = unfinishedCount(counts)
  return tasksPerSecond > 0 && left > 0 ? [rate, `${renderDuration(left / tasksPerSecond)} left`] : [rate]
}

function vmParts({ vms, spentUsd }: ProgressView): string[] {
  const inState = (state: Vm['state']) => vms.filter(vm => vm.state === state)
  const preempted = vms.filter(vm => vm.endReason === 'preempted').length
  const ratePerHour = [...inState('starting'), ...inState('running')].reduce(
    (sum, vm) => sum + (vm.priceUsdPerHour ?? 0),
    0,
  )
  const states = [`${inState('running').length} VMs running`]
  for (const state of ['starting', 'stopping'] as const)
    if (inState(state).length > 0) states.push(`${inState(state).length} ${state}`)
  if (preempted > 0) states.push(`${preempted} preempted`)
  return [states.join(', '), `${usd(spentUsd)} so far${ratePerHour > 0 ? ` at ${usd(ratePerHour)}/h` : ''}`]
}

function usd(amount: number): string {
  return `$${amount.toFixed(amount < 1 ? 4 : 2)}`
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

const [BOLD, DIM, GREEN] = ['1', '2', '32']

function paint(text: string, code: string | undefined, color: boolean): string {
  return color && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text
}

/** A line longer than the screen would wrap, and the block could not be erased again. */
function cut(line: string, columnCount: number): string {
  let visible = 0
  let kept = ''
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
  for (const [part] of line.matchAll(/\x1b\[\d+m|./gsu)) {
    if (part.startsWith('\x1b')) kept += part
    else if (visible < columnCount) {
      kept += part
      visible += 1
    }
  }
  return kept
}
