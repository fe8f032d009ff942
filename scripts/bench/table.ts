// Renders rows for people. Knows nothing of how they were measured.
import { judge, type Row, type Unit } from './row.ts'

const HEAD = ['what', 'ours', 'limit, same run', 'ours / limit', 'peers', 'target', ''] as const

/** A Markdown table with padded columns: readable in a terminal, and as it stands in docs/performance.md. */
export function renderTable(rows: readonly Row[]): string {
  const lines = [HEAD, ...rows.map(cells)]
  const widths = HEAD.map((_, column) => Math.max(3, ...lines.map(line => line[column]?.length ?? 0)))
  const render = (line: readonly string[]) =>
    `| ${widths.map((width, column) => (line[column] ?? '').padEnd(width)).join(' | ')} |`
  const rule = widths.map(width => '-'.repeat(width))
  return [render(HEAD), render(rule), ...lines.slice(1).map(render)].join('\n')
}

function cells(row: Row): readonly string[] {
  const { ours, limit, peers = [], target, note } = row
  return [
    row.what,
    ours === undefined ? (note ?? 'not measured') : quantity(ours, row.unit),
    limit === undefined ? '' : `${limit.name}: ${quantity(limit.value, row.unit)}`,
    limit === undefined || ours === undefined ? '' : (ours / limit.value).toFixed(2),
    peers.map(peer => `${peer.name} ${number(peer.value)}`).join(', '),
    target === undefined
      ? ''
      : 'atLeast' in target
        ? `≥ ${number(target.atLeast)}`
        : `< ${quantity(target.below, row.unit)}`,
    judge(row),
  ]
}

function quantity(value: number, unit: Unit): string {
  return `${number(value)} ${unit}`
}

function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}
