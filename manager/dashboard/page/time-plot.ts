// One chart of lines over time, drawn by uPlot, made so that several stand aligned below each other.

import { make, setText } from './dom.ts'
import { formatTime } from './format.ts'
import type { TimeRange } from './source.ts'
import { swatch } from './status.ts'
import { type ColorName, color } from './theme.ts'

export interface LineSpec {
  readonly label: string
  readonly tone: ColorName
  /** `area` is filled, `steps` holds its value until the next one. */
  readonly shape: 'line' | 'area' | 'steps'
  readonly format: (value: number) => string
}

export interface PlotSpec {
  readonly title: string
  readonly lines: readonly LineSpec[]
  /** On the axis, where there is little room. */
  readonly axis: (value: number) => string
  readonly timeLabels: boolean
}

export interface TimePlot {
  readonly element: HTMLElement
  setData(columns: uPlot.AlignedData): void
  /** At the column under the cursor; undefined = the last ones that are known. */
  showValues(index: number | undefined): void
  setWidth(width: number): void
  repaint(): void
  moveCursor(index: number): void
}

export interface PlotHooks {
  /** What the x axis shows. */
  readonly range: () => TimeRange
  readonly onCursor: (index: number | undefined) => void
  /** The reader dragged over a span of time. */
  readonly onSelect: (range: TimeRange) => void
}

/** Room for the last label of the time axis. */
export const PLOT_RIGHT_PX = 12
const PLOT_HEIGHT = 68
const TIME_LABELS_HEIGHT = 22
const HEADROOM = 1.12
const SYNC_KEY = 'job'

export function makeTimePlot(spec: PlotSpec, hooks: PlotHooks): TimePlot {
  const values = spec.lines.map(() => make('b'))
  const legend = make(
    'ul',
    { class: 'legend' },
    ...spec.lines.map((line, index) => make('li', {}, swatch(line.tone), `${line.label} `, values[index])),
  )
  const canvas = make('div', { class: 'plot', role: 'img' })
  const element = make('figure', {}, make('figcaption', {}, make('h3', {}, spec.title), legend), canvas)
  const plot = new uPlot(optionsOf(spec, hooks), [[], ...spec.lines.map(() => [])], canvas)
  const showValues = (index: number | undefined) => {
    for (const [line, value] of values.entries()) {
      const column = plot.data[line + 1]
      const number = index === undefined ? lastKnown(column) : column?.[index]
      setText(value, typeof number === 'number' ? (spec.lines[line]?.format(number) ?? '') : '–')
    }
    if (index === undefined) canvas.setAttribute('aria-label', describe(spec, values))
  }
  return {
    element,
    showValues,
    setData(columns) {
      plot.setData(columns)
      showValues(undefined)
    },
    setWidth(width) {
      plot.setSize({ width, height: heightOf(spec) })
    },
    repaint() {
      plot.redraw(false, true)
    },
    moveCursor(index) {
      plot.setCursor({ left: plot.valToPos(plot.data[0]?.[index] ?? 0, 'x'), top: 1 })
    },
  }
}

function lastKnown(column: uPlot.AlignedData[number] | undefined): number | undefined {
  for (let index = (column?.length ?? 0) - 1; index >= 0; index--) {
    const value = column?.[index]
    if (typeof value === 'number') return value
  }
  return undefined
}

/** In CSS, because it is narrower on a phone, and because the VM timeline begins where the charts do. */
export function axisWidth(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--axis'))
}

function optionsOf(spec: PlotSpec, hooks: PlotHooks): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: () => color('muted'),
    grid: { stroke: () => color('line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  }
  return {
    width: 300,
    height: heightOf(spec),
    padding: [8, PLOT_RIGHT_PX, spec.timeLabels ? 0 : 4, 0],
    legend: { show: false },
    cursor: {
      sync: { key: SYNC_KEY },
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
      y: false,
    },
    scales: {
      x: {
        time: true,
        range: () => {
          const { fromS, toS } = hooks.range()
          return [fromS, toS]
        },
      },
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * HEADROOM : 1] },
    },
    axes: [
      {
        ...axis,
        size: spec.timeLabels ? TIME_LABELS_HEIGHT : 0,
        gap: 4,
        space: 70,
        incrs: TIME_STEPS_S,
        values: (plot, splits, _axis, _space, step) =>
          spec.timeLabels ? timeLabels(plot, splits, step) : splits.map(() => ''),
      },
      { ...axis, size: axisWidth, gap: 6, space: 22, values: (_plot, splits) => splits.map(spec.axis) },
    ],
    series: [{}, ...spec.lines.map(seriesOf)],
    hooks: {
      setCursor: [plot => hooks.onCursor(plot.cursor.idx ?? undefined)],
      setSelect: [plot => select(plot, hooks)],
    },
  }
}

function seriesOf({ tone, shape, label }: LineSpec): uPlot.Series {
  const steps = shape === 'steps' ? uPlot.paths.stepped?.({ align: 1 }) : undefined
  return {
    label,
    stroke: () => color(tone),
    width: 1.5,
    points: { show: false },
    spanGaps: true, // samples of the queue are rarer than points
    ...(shape === 'area' ? { fill: () => translucent(color(tone)) } : undefined),
    ...(steps === undefined ? undefined : { paths: steps }),
  }
}

/** `rgb(1, 2, 3)`, as a computed colour is written, at a fifth of its strength. */
function translucent(rgb: string): string {
  return rgb.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.18)')
}

const SMALLEST_SELECT_PX = 6 // less is a click

function select(plot: uPlot, hooks: PlotHooks): void {
  const { left, width } = plot.select
  if (width === 0) return
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
  if (width < SMALLEST_SELECT_PX) return
  hooks.onSelect({ fromS: plot.posToVal(left, 'x'), toS: plot.posToVal(left + width, 'x') })
}

const DAY_S = 86_400
const TIME_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200].concat(
  [1, 2, 7, 14, 28, 91, 182, 365].map(days => days * DAY_S),
)
const HALF_LABEL_PX = 14 // less the room right of the plot

function timeLabels(plot: uPlot, splits: readonly number[], stepSeconds: number): string[] {
  const today = splits[0] === undefined ? new Date() : new Date(splits[0] * 1000) // so that only later days are named
  const { min = 0, max = 1 } = plot.scales.x ?? {}
  const secondsPerPx = ((max ?? 1) - (min ?? 0)) / Math.max(1, plot.width - axisWidth() - PLOT_RIGHT_PX)
  const last = (max ?? 1) - HALF_LABEL_PX * secondsPerPx
  return splits.map(at => {
    if (at > last) return ''
    return shortDay(formatTime(new Date(at * 1000), { seconds: stepSeconds < 60, today }), stepSeconds)
  })
}

function shortDay(text: string, stepSeconds: number): string {
  return stepSeconds >= DAY_S ? text.replace(/, .*/, '') : text
}

function heightOf(spec: PlotSpec): number {
  return PLOT_HEIGHT + (spec.timeLabels ? TIME_LABELS_HEIGHT : 0)
}

function describe(spec: PlotSpec, values: readonly HTMLElement[]): string {
  const last = spec.lines.map((line, index) => `${line.label} ${values[index]?.textContent ?? ''}`).join(', ')
  return `${spec.title} over time. Last: ${last}.`
}
