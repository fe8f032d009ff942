// How fast, how dear, on what, and what fails: four tiles of one figure each with what explains it.
import type { CostView, JobView, VmRow } from '../api.ts'
import { byId, fill, make, setText } from './dom.ts'
import {
  formatCount,
  formatDuration,
  formatPercent,
  formatRate,
  formatTime,
  formatUsd,
  plural,
  UNKNOWN,
} from './format.ts'
import { statusesOf, swatch } from './status.ts'
import { finished, nowOf, type Store, showTasks } from './store.ts'
import type { ColorName } from './theme.ts'

export function startTiles(store: Store): void {
  startSpeed(store)
  startCost(store)
  startVms(store)
  startFailures(store)
}

interface Tile {
  readonly figure: HTMLElement
  readonly unit: HTMLElement
  readonly lines: HTMLElement
}

function makeTile(id: string, title: string): Tile {
  const figure = make('strong', { class: 'figure', id: `${id}-figure` })
  const unit = make('span', { class: 'muted' })
  const lines = make('div', { class: 'lines' })
  fill(byId(id), make('h2', { id: `${id}-title` }, title), make('p', { class: 'headline' }, figure, unit), lines)
  return { figure, unit, lines }
}

function startSpeed({ job }: Store): void {
  const { figure, unit, lines } = makeTile('speed', 'Speed and end')
  const [ends, span] = [make('p', { id: 'ends' }), make('p', { class: 'muted' })]
  fill(lines, ends, span)
  job.watch(view => {
    if (view === undefined) return
    const over = finished(view)
    const rate = over ? meanRate(view) : view.tasksPerSecond
    setText(figure, rate === undefined ? UNKNOWN : formatRate(rate))
    setText(unit, over ? 'tasks/s on average' : 'tasks/s')
    setText(ends, over ? endedText(view) : etaText(view))
    setText(span, over ? tookText(view) : spanText(view))
  })
}

function meanRate({ startedAt, finishedAt, doneCount }: JobView): number | undefined {
  if (startedAt === undefined || finishedAt === undefined) return undefined
  const seconds = (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000
  return seconds > 0 ? doneCount / seconds : undefined
}

function endedText(view: JobView): string {
  return view.finishedAt === undefined ? 'Ended' : `Ended ${formatTime(new Date(view.finishedAt), { seconds: true })}`
}

function tookText({ startedAt, finishedAt }: JobView): string {
  if (startedAt === undefined || finishedAt === undefined) return ''
  return `took ${formatDuration((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000)}`
}

function etaText(view: JobView): string {
  if (view.eta === undefined) return 'The end is not known yet'
  const at = new Date(view.eta.p50At)
  const leftS = secondsFrom(nowOf(view), at)
  return `Ends about ${formatTime(at, { seconds: soon(view) })}, in ${formatDuration(leftS)}`
}

function spanText(view: JobView): string {
  if (view.eta === undefined) return ''
  const [early, late] = [new Date(view.eta.p10At), new Date(view.eta.p90At)]
  const seconds = soon(view)
  return `80 % sure: ${formatTime(early, { seconds })} to ${formatTime(late, { seconds })}`
}

const SOON_S = 600

function soon(view: JobView): boolean {
  return view.eta !== undefined && secondsFrom(nowOf(view), new Date(view.eta.p90At)) < SOON_S
}

function secondsFrom(now: Date, at: Date): number {
  return Math.max(0, (at.getTime() - now.getTime()) / 1000)
}

const PARTS: readonly { readonly key: keyof CostView; readonly label: string; readonly tone: ColorName }[] = [
  { key: 'usefulUsd', label: 'useful', tone: 'completed' },
  { key: 'lostUsd', label: 'lost', tone: 'failed' },
  { key: 'bootUsd', label: 'boot', tone: 'boot' },
  { key: 'idleUsd', label: 'idle', tone: 'idle' },
]

function startCost({ job }: Store): void {
  const { figure, unit, lines } = makeTile('cost', 'Cost')
  const [now, forecast] = [make('p'), make('p', { class: 'muted' })]
  const bar = make('div', { class: 'bar slim', role: 'img' })
  const segments = PARTS.map(({ tone }) => make('span', { class: tone }))
  const values = PARTS.map(() => make('b'))
  fill(bar, ...segments)
  const items = PARTS.map(({ label, tone }, index) => make('li', {}, swatch(tone), `${label} `, values[index]))
  fill(lines, now, forecast, bar, make('ul', { class: 'parts' }, ...items))
  job.watch(view => {
    if (view === undefined) return
    const { cost } = view
    setText(figure, formatUsd(cost.spentUsd))
    setText(unit, cost.capUsd === undefined ? 'so far' : `of at most ${formatUsd(cost.capUsd)}`)
    setText(now, finished(view) ? perTask(view) : `${formatUsd(cost.usdPerHour)} an hour now`)
    setText(forecast, finished(view) ? '' : forecastText(cost))
    forecast.classList.toggle('bad', (cost.forecastUsd?.p50 ?? 0) > (cost.capUsd ?? Number.POSITIVE_INFINITY))
    const share = (index: number) => partOf(cost, index) / (cost.spentUsd || 1)
    for (const [index, segment] of segments.entries()) segment.style.flexGrow = String(share(index))
    for (const [index, value] of values.entries()) setText(value, `${Math.round(share(index) * 100)} %`)
    bar.setAttribute(
      'aria-label',
      PARTS.map(({ label }, index) => `${label} ${formatUsd(partOf(cost, index))}`).join(', '),
    )
  })
}

function partOf(cost: CostView, index: number): number {
  const key = PARTS[index]?.key
  const value = key === undefined ? 0 : cost[key]
  return typeof value === 'number' ? value : 0
}

function perTask({ cost, counts }: JobView): string {
  if (counts.completed === 0) return ''
  return `${formatUsd((cost.spentUsd / counts.completed) * 1e6)} per million completed tasks`
}

function forecastText({ forecastUsd, capUsd }: CostView): string {
  if (forecastUsd === undefined) return 'The whole job: not known yet'
  const { p10, p50, p90 } = forecastUsd
  const over = capUsd !== undefined && p50 > capUsd ? ', over the limit' : ''
  return `Whole job about ${formatUsd(p50)} (${formatUsd(p10)} to ${formatUsd(p90)})${over}`
}

function startVms({ job, vms }: Store): void {
  const { figure, unit, lines } = makeTile('vms', 'VMs')
  const [states, ended] = [make('p'), make('p', { class: 'muted' })]
  fill(lines, states, ended)
  const show = () => {
    const view = job.current
    if (view === undefined) return
    const { running, starting, stopping, ended: endedCount, preempted } = view.vms
    setText(figure, formatCount(running))
    setText(unit, 'running')
    setText(states, `${formatCount(starting)} starting, ${formatCount(stopping)} stopping${slotText(vms.current)}`)
    setText(ended, `${formatCount(endedCount)} ended, ${formatCount(preempted)} of them preempted`)
  }
  job.watch(show)
  vms.watch(show)
}

function slotText(vms: readonly VmRow[]): string {
  const slots = vms.reduce((sum, vm) => sum + (vm.state === 'running' ? (vm.slots ?? 0) : 0), 0)
  return slots > 0 ? ` · ${plural(slots, 'task')} at once` : ''
}

function startFailures(store: Store): void {
  const { figure, unit, lines } = makeTile('failures', 'Failures')
  const again = make('p')
  const show = make('button', { class: 'plain link', type: 'button' }, 'Show failed tasks')
  show.addEventListener('click', () => showTasks(store, { status: statusesOf('failed').join(',') }))
  fill(lines, again, show)
  store.job.watch(view => {
    if (view === undefined) return
    const retried = statusesOf('retry').reduce((sum, status) => sum + view.counts[status], 0)
    setText(figure, formatCount(view.failedCount))
    figure.classList.toggle('bad', view.failedCount > 0)
    setText(
      unit,
      view.failedCount === 0 ? 'tasks failed' : `failed for good (${formatPercent(view.failedCount, view.total)})`,
    )
    setText(again, retried === 0 ? 'None waits for another attempt' : `${plural(retried, 'task')} will be tried again`)
    show.hidden = view.failedCount === 0
  })
}
