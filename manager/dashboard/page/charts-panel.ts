// Speed, queue, VMs and money over time: charts with one time axis, one cursor and one zoom, the VM timeline below them.
import type { SeriesView } from '../api.ts'
import { byId, fill, make } from './dom.ts'
import { formatCount, formatRate, formatShort, formatTime, formatUsd } from './format.ts'
import { makeSeriesTable } from './series-table.ts'
import { shownRange } from './shown-range.ts'
import type { TimeRange } from './source.ts'
import { finished, nowOf, type Store } from './store.ts'
import { paintedTheme } from './theme.ts'
import { makeTimePlot, type PlotSpec, type TimePlot } from './time-plot.ts'
import { makeZoomBar } from './zoom-bar.ts'

const perSecond = (value: number) => `${formatRate(value)}/s`
const inAnHour = (value: number) => `${formatUsd(value)}/h`
/** Without the zeros that an amount has. */
function axisUsd(value: number): string {
  if (value >= 1000) return `$${formatShort(value)}`
  if (value > 0 && value < 0.0005) return `$${Number(value.toPrecision(2)).toExponential()}`
  return formatUsd(value)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '')
}

type Column = Exclude<keyof SeriesView, 't' | 'bucketSeconds'>
type ColumnPlot = PlotSpec & { readonly columns: readonly Column[] }

const PLOTS: readonly ColumnPlot[] = [
  {
    title: 'Tasks a second',
    columns: ['completedPerSecond', 'failedPerSecond'],
    axis: formatShort,
    timeLabels: false,
    lines: [
      { label: 'completed', tone: 'completed', shape: 'area', format: perSecond },
      { label: 'attempts failed', tone: 'failed', shape: 'line', format: perSecond },
    ],
  },
  {
    title: 'Queue',
    columns: ['waiting', 'running'],
    axis: formatShort,
    timeLabels: false,
    lines: [
      { label: 'waiting', tone: 'waiting', shape: 'area', format: formatCount },
      { label: 'taken by agents', tone: 'running', shape: 'line', format: formatCount },
    ],
  },
  {
    title: 'Tasks at once',
    columns: ['slots'],
    axis: formatShort,
    timeLabels: false,
    lines: [{ label: 'places on VMs', tone: 'boot', shape: 'steps', format: formatCount }],
  },
  {
    title: 'VMs',
    columns: ['vms'],
    axis: formatShort,
    timeLabels: false,
    lines: [{ label: 'VMs', tone: 'running', shape: 'steps', format: formatCount }],
  },
  {
    title: 'Dollars an hour',
    columns: ['usdPerHour'],
    axis: axisUsd,
    timeLabels: false,
    lines: [{ label: 'rate', tone: 'accent', shape: 'steps', format: inAnHour }],
  },
  {
    title: 'Dollars spent',
    columns: ['spentUsd'],
    axis: axisUsd,
    timeLabels: true,
    lines: [{ label: 'so far', tone: 'accent', shape: 'area', format: formatUsd }],
  },
]

export function startChartsPanel(store: Store): void {
  const section = byId('charts')
  const readout = make('span', { class: 'muted small', role: 'status' })
  const area = make('div', {
    class: 'plots',
    role: 'group',
    tabindex: 0,
    'aria-label': 'Charts over time. Left and right arrow: read values. Plus and minus: zoom. Zero: the whole job.',
  })
  fill(
    section,
    make('header', {}, make('h2', { id: 'charts-title' }, 'Over time'), readout, makeZoomBar(store, section)),
    area,
    makeSeriesTable(store),
    make('div', { id: 'timeline' }),
  )
  const plots = PLOTS.map(spec => makeTimePlot(spec, hooks()))
  fill(area, ...plots.map(plot => plot.element))
  let cursor: number | undefined

  function hooks() {
    return {
      range: () => shownRange(store),
      onSelect: (range: TimeRange) => store.range.set(range),
      onCursor: (index: number | undefined) => {
        if (index === cursor) return
        cursor = index
        for (const plot of plots) plot.showValues(index)
        const at = index === undefined ? undefined : store.series.current?.t[index]
        readout.textContent = at === undefined ? '' : formatTime(new Date(at * 1000), { seconds: true })
      },
    }
  }

  store.series.watch(series => {
    if (series === undefined) return
    const job = store.job.current
    const untilS = job === undefined || finished(job) ? Number.POSITIVE_INFINITY : nowOf(job).getTime() / 1000
    const columns = PLOTS.map(
      ({ columns: names }): uPlot.AlignedData => [[...series.t], ...names.map(name => columnOf(series, name, untilS))],
    )
    for (const [index, plot] of plots.entries()) {
      const data = columns[index]
      if (data !== undefined) plot.setData(data)
    }
  })
  paintedTheme.watch(() => {
    for (const plot of plots) plot.repaint()
  })
  fitWidth(area, plots)
  readWithKeys(area, store, plots)
}

const ARRIVAL_S = 3 // results take about this long; without them the end of a line would look like a fall

function columnOf(series: SeriesView, name: Column, untilS: number): (number | null)[] {
  const rate = name === 'completedPerSecond' || name === 'failedPerSecond'
  return series[name].map((value, index) => (rate && (series.t[index] ?? 0) + ARRIVAL_S > untilS ? null : value))
}

function fitWidth(area: HTMLElement, plots: readonly TimePlot[]): void {
  new ResizeObserver(() => {
    const width = Math.floor(area.clientWidth)
    if (width > 0) for (const plot of plots) plot.setWidth(width)
  }).observe(area)
}

function readWithKeys(area: HTMLElement, store: Store, plots: readonly TimePlot[]): void {
  let index: number | undefined
  area.addEventListener('keydown', event => {
    const step = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0
    const last = (store.series.current?.t.length ?? 0) - 1
    if (step === 0 || last < 0) return
    event.preventDefault()
    index = Math.max(0, Math.min(last, (index ?? last) + step))
    plots[0]?.moveCursor(index) // the others follow
  })
}
