// Small charts under a report on a terminal: how long tasks took, how fast they came, what the money was for.
import type { DatabaseSync } from 'node:sqlite'
import { renderCount } from './progress.ts'
import type { Report } from './report.ts'

export interface ChartStyle {
  readonly columnCount: number
  readonly color: boolean
}

export interface Charts {
  /** Tasks by how long they took; bounds in seconds. */
  readonly times: readonly { readonly from: number; readonly to: number; readonly count: number }[]
  /** Tasks that ended in each of equal stretches of the job. */
  readonly ended: readonly number[]
}

const STRETCHES = 60
const LEAST_TASKS = 20 // fewer are told better by their numbers
const MOST_BARS = 7

/** Two walks through all tasks. */
export function readCharts(sqlite: DatabaseSync, { elapsedSeconds, firstEnqueuedAt, wallSeconds = 0 }: Report): Charts {
  if (elapsedSeconds === undefined || elapsedSeconds.count < LEAST_TASKS) return { times: [], ended: [] }
  return {
    times: elapsedSeconds.max > elapsedSeconds.min * 1.2 ? readTimes(sqlite, elapsedSeconds) : [],
    ended: wallSeconds > 0 && firstEnqueuedAt !== undefined ? readEnded(sqlite, firstEnqueuedAt, wallSeconds) : [],
  }
}

/** Bars of equal width in the logarithm: tasks differ by factors. */
function readTimes(
  sqlite: DatabaseSync,
  { min, max }: { readonly min: number; readonly max: number },
): Charts['times'] {
  const least = Math.max(min, 1e-4)
  const factor = Math.max(1.25, (max / least) ** (1 / MOST_BARS))
  const rows = sqlite
    .prepare(
      `SELECT CAST(ln(max(elapsed_time, ?1) / ?1) / ln(?2) AS INTEGER) AS bar, count(*) AS n
       FROM tasks WHERE elapsed_time IS NOT NULL GROUP BY bar`,
    )
    .all(least, factor)
  const counts = new Map(rows.map(row => [Math.min(MOST_BARS - 1, Number(row.bar)), 0]))
  for (const row of rows) {
    const bar = Math.min(MOST_BARS - 1, Number(row.bar))
    counts.set(bar, (counts.get(bar) ?? 0) + Number(row.n))
  }
  const last = Math.max(...counts.keys())
  return Array.from({ length: last + 1 }, (_, bar) => ({
    from: least * factor ** bar,
    to: least * factor ** (bar + 1),
    count: counts.get(bar) ?? 0,
  }))
}

function readEnded(sqlite: DatabaseSync, firstAt: string, wallSeconds: number): readonly number[] {
  const ended = new Array<number>(STRETCHES).fill(0)
  const rows = sqlite
    .prepare(
      `SELECT CAST((unixepoch(completed_at, 'subsec') - unixepoch(?, 'subsec')) / ? AS INTEGER) AS stretch, count(*) AS n
       FROM tasks WHERE completed_at IS NOT NULL GROUP BY stretch`,
    )
    .all(firstAt, wallSeconds / STRETCHES)
  for (const row of rows) {
    const stretch = Math.max(0, Math.min(STRETCHES - 1, Number(row.stretch)))
    ended[stretch] = (ended[stretch] ?? 0) + Number(row.n)
  }
  return ended
}

/** Empty if there is nothing that a chart tells better than the report's numbers. */
export function renderCharts({ times, ended }: Charts, report: Report, style: ChartStyle): string {
  return [renderTimes(times, style), renderEnded(ended, report.wallSeconds ?? 0, style), renderCost(report.cost, style)]
    .filter(lines => lines.length > 0)
    .map(lines => lines.join('\n'))
    .join('\n\n')
}

const WIDEST = 60

function renderTimes(times: Charts['times'], { columnCount, color }: ChartStyle): readonly string[] {
  if (times.length < 2) return []
  const most = Math.max(...times.map(({ count }) => count))
  const labels = times.map(({ from, to }) => `${secondsText(from)} – ${secondsText(to)}`)
  const labelColumns = Math.max(...labels.map(label => label.length))
  const columns = Math.max(5, Math.min(WIDEST, columnCount - labelColumns - 14))
  const bars = times.map(({ count }, i) => {
    const bar = paint('▇'.repeat(count === 0 ? 0 : Math.max(1, Math.round((count / most) * columns))), '36', color)
    return `  ${(labels[i] ?? '').padStart(labelColumns)}  ${bar} ${renderCount(count)}`
  })
  return ['Time per task', ...bars]
}

const SPARKS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const

function renderEnded(
  ended: readonly number[],
  wallSeconds: number,
  { columnCount, color }: ChartStyle,
): readonly string[] {
  const columns = Math.max(10, Math.min(ended.length, columnCount - 4))
  if (ended.length === 0) return []
  const perColumn = Math.ceil(ended.length / columns)
  const sums: number[] = []
  for (let at = 0; at < ended.length; at += perColumn) {
    sums.push(ended.slice(at, at + perColumn).reduce((sum, count) => sum + count, 0))
  }
  const most = Math.max(...sums)
  const line = sums.map(sum => (sum === 0 ? ' ' : (SPARKS[Math.min(7, Math.floor((sum / most) * 8))] ?? ' '))).join('')
  const perSecond = (most * ended.length) / (perColumn * wallSeconds)
  const rate = perSecond >= 10 ? renderCount(Math.round(perSecond)) : perSecond.toPrecision(2)
  return [
    `Tasks ended over the job's ${secondsText(wallSeconds)}, at most ${rate} a second`,
    `  ${paint(line, '32', color)}`,
  ]
}

function renderCost({ parts, usd }: Report['cost'], { columnCount, color }: ChartStyle): readonly string[] {
  if (parts === undefined || usd <= 0) return []
  const columns = Math.max(10, Math.min(WIDEST, columnCount - 4))
  const pieces = [
    ['work', parts.usefulUsd, '█', '32'],
    ['lost', parts.lostUsd, '▓', '31'],
    ['boot', parts.bootUsd, '▒', '33'],
    ['idle', parts.idleUsd, '░', '2'],
  ] as const
  let [sum, drawn] = [0, 0]
  const bar = pieces.map(([, part, letter, code]) => {
    sum += part
    const upTo = Math.round((sum / usd) * columns)
    const piece = paint(letter.repeat(Math.max(0, upTo - drawn)), code, color)
    drawn = Math.max(drawn, upTo)
    return piece
  })
  const legend = pieces.map(([name, , letter, code]) => `${paint(letter, code, color)} ${name}`)
  return ['What the money was for', `  ${bar.join('')}`, `  ${legend.join('   ')}`]
}

function secondsText(seconds: number): string {
  if (seconds >= 7200) return `${(seconds / 3600).toFixed(1)} h`
  if (seconds >= 120) return `${(seconds / 60).toFixed(1)} min`
  if (seconds >= 1) return `${seconds.toPrecision(2)} s`
  return `${Number((seconds * 1000).toPrecision(2))} ms`
}

function paint(text: string, code: string, color: boolean): string {
  return color && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text
}
