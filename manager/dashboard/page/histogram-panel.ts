// How long tasks take: a bar for each span of time, on a logarithmic scale, failed tasks on top.
import type { HistogramView } from '../api.ts'
import { byId, fill, make, setText } from './dom.ts'
import { formatCount, formatDuration } from './format.ts'
import { swatch } from './status.ts'

export function makeHistogramPanel(): (view: HistogramView) => void {
  const bars = make('div', { class: 'histogram', role: 'img' })
  const scale = make('div', { class: 'scale muted small', 'aria-hidden': 'true' })
  const note = make('p', { class: 'muted' })
  const legend = make(
    'ul',
    { class: 'legend' },
    make('li', {}, swatch('completed'), 'completed'),
    make('li', {}, swatch('failed'), 'failed'),
  )
  fill(
    byId('histogram'),
    make('header', {}, make('h2', { id: 'histogram-title' }, 'Time of a task'), legend),
    bars,
    scale,
    note,
  )
  return view => {
    const counts = view.completed.map((count, index) => count + (view.failed[index] ?? 0))
    const most = Math.max(1, ...counts)
    fill(bars, ...counts.map((_, index) => makeBar(view, index, most)))
    const text = describe(view)
    setText(note, text)
    bars.setAttribute('aria-label', text)
    fill(scale, ...scaleOf(view).map(label => make('span', {}, label)))
  }
}

function makeBar({ edgesSeconds, completed, failed }: HistogramView, index: number, most: number): HTMLElement {
  const [good, bad] = [completed[index] ?? 0, failed[index] ?? 0]
  const from = formatDuration(edgesSeconds[index] ?? 0)
  const to = formatDuration(edgesSeconds[index + 1] ?? 0)
  const words = `${from} to ${to}: ${formatCount(good)} completed${bad > 0 ? `, ${formatCount(bad)} failed` : ''}`
  const part = (count: number, tone: string) => {
    const element = make('span', { class: tone })
    element.style.height = count === 0 ? '0' : `max(1px, ${(count / most) * 100}%)`
    return element
  }
  return make('div', { title: words }, part(bad, 'failed'), part(good, 'completed'))
}

function describe({ completed, medianSeconds, p95Seconds }: HistogramView): string {
  if (completed.length === 0 || medianSeconds === undefined) return 'No task has ended yet.'
  const most = p95Seconds === undefined ? '' : `, 95 % within ${formatDuration(p95Seconds)}`
  return `Half of the tasks take ${formatDuration(medianSeconds)} or less${most}.`
}

function scaleOf({ edgesSeconds }: HistogramView): string[] {
  const [first, middle, last] = [
    edgesSeconds[0],
    edgesSeconds[Math.floor(edgesSeconds.length / 2)],
    edgesSeconds.at(-1),
  ]
  return first === undefined || middle === undefined || last === undefined
    ? []
    : [first, middle, last].map(formatDuration)
}
