// The figures of the charts as a table, for those who cannot see or use the charts. Filled only while it is open.
import type { SeriesView } from '../api.ts'
import { fill, make } from './dom.ts'
import { formatCount, formatRate, formatTime, formatUsd, UNKNOWN } from './format.ts'
import type { Store } from './store.ts'

const MOST_ROWS = 30

export function makeSeriesTable(store: Store): HTMLElement {
  const body = make('tbody')
  const heads = ['From', 'Completed/s', 'Failed/s', 'Waiting', 'Taken', 'VMs', 'At once', '$/hour', 'Spent']
  const table = make(
    'table',
    {},
    make('caption', { class: 'unseen' }, 'The charts as figures'),
    make(
      'thead',
      {},
      make('tr', {}, ...heads.map((head, index) => make('th', { scope: 'col', class: index > 0 && 'number' }, head))),
    ),
    body,
  )
  const box = make(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'The charts as figures' },
    table,
  )
  const details = make('details', { class: 'small' }, make('summary', {}, 'The charts as a table'), box)
  const show = () => {
    if (details.open) fill(body, ...rowsOf(store.series.current))
  }
  details.addEventListener('toggle', show)
  store.series.watch(show)
  return details
}

function rowsOf(series: SeriesView | undefined): HTMLElement[] {
  if (series === undefined) return []
  const step = Math.max(1, Math.ceil(series.t.length / MOST_ROWS))
  const indexes = series.t.map((_, index) => index).filter(index => (series.t.length - 1 - index) % step === 0)
  return indexes.map(index => {
    const cells = [
      formatRate(series.completedPerSecond[index] ?? 0),
      formatRate(series.failedPerSecond[index] ?? 0),
      countOr(series.waiting[index]),
      countOr(series.running[index]),
      countOr(series.vms[index]),
      countOr(series.slots[index]),
      formatUsd(series.usdPerHour[index] ?? 0),
      formatUsd(series.spentUsd[index] ?? 0),
    ]
    const at = formatTime(new Date((series.t[index] ?? 0) * 1000), { seconds: true })
    return make('tr', {}, make('th', { scope: 'row' }, at), ...cells.map(cell => make('td', { class: 'number' }, cell)))
  })
}

function countOr(value: number | null | undefined): string {
  return typeof value === 'number' ? formatCount(value) : UNKNOWN
}
