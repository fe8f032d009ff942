// Draws the joined results as one SVG: the mean delay and its interval, by distance and for the busiest airports.
import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import type { Row } from './results.ts'

const BUSIEST_AIRPORTS = 30
const BLUE = '#2a6fb0'

export async function renderChart(rows: readonly Row[]): Promise<string> {
  const points = rows.flatMap(({ group, label, flights, median, mean, interval }) =>
    interval === null ? [] : [{ by: group.by, label, flights, median, mean, ...interval }],
  )
  const bands = points.filter(({ by }) => by === 'distance')
  const airports = points
    .filter(({ by }) => by === 'origin')
    .toSorted((a, b) => b.flights - a.flights)
    .slice(0, BUSIEST_AIRPORTS)
    .toSorted((a, b) => a.mean - b.mean)
  const spec: TopLevelSpec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: 'How late do flights arrive? Mean (dot) with its 95 % interval, and median (red)',
    background: 'white',
    hconcat: [panel('by distance', bands), panel(`the ${airports.length} busiest airports`, airports)],
    config: { font: 'Helvetica, Arial, sans-serif', view: { stroke: null }, title: { anchor: 'start', fontSize: 15 } },
  }
  // 'none': drawn as text, without a browser or a canvas.
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG()
}

interface Point {
  readonly label: string
  readonly mean: number
  readonly median: number
  readonly low: number
  readonly high: number
}

type Panel = Extract<TopLevelSpec, { readonly hconcat: unknown }>['hconcat'][number]

function panel(title: string, points: readonly Point[]): Panel {
  const label = { field: 'label', type: 'nominal', sort: null, title: null } as const
  const minutes = { type: 'quantitative', title: 'minutes after schedule' } as const
  return {
    title: { text: title, fontSize: 12 },
    data: { values: [...points] },
    width: 340,
    height: { step: 16 },
    layer: [
      {
        mark: { type: 'rule', color: BLUE, opacity: 0.45, strokeWidth: 4 },
        encoding: { y: label, x: { field: 'low', ...minutes }, x2: { field: 'high' } },
      },
      {
        mark: { type: 'point', color: BLUE, filled: true, size: 45, opacity: 1 },
        encoding: { y: label, x: { field: 'mean', ...minutes } },
      },
      {
        mark: { type: 'tick', color: '#c0504d', thickness: 2, size: 9 },
        encoding: { y: label, x: { field: 'median', ...minutes } },
      },
    ],
  }
}
