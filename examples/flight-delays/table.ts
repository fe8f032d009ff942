// Renders the joined results as one table, for reading (Markdown) and for computing (CSV).
import type { Row } from './results.ts'

export function renderMarkdown(rows: readonly Row[]): string {
  const lines = rows.map(row => {
    const interval = row.interval === null ? '–' : `${row.interval.low.toFixed(1)} … ${row.interval.high.toFixed(1)}`
    return `| ${row.label} | ${row.flights} | ${row.median.toFixed(1)} | ${row.p95.toFixed(1)} | ${row.mean.toFixed(1)} | ${interval} |`
  })
  return [
    '# Flight delays in minutes',
    '',
    '| Flights | How many | Median | 95th percentile | Mean | 95 % interval of the mean |',
    '|---|--:|--:|--:|--:|--:|',
    ...lines,
    '',
  ].join('\n')
}

export function renderCsv(rows: readonly Row[]): string {
  const header = 'group,label,flights,median,p95,mean,mean_low,mean_high'
  const lines = rows.map(({ group, label, flights, median, p95, mean, interval }) =>
    [group.by, label, flights, median, p95, mean, interval?.low ?? '', interval?.high ?? ''].join(','),
  )
  return `${[header, ...lines].join('\n')}\n`
}
