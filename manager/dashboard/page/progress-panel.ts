// How far: the share that is done, and a bar and a list of the tasks in each status, each a way into the table.
import type { JobView } from '../api.ts'
import { byId, fill, make, setText } from './dom.ts'
import { formatCount, formatPercent } from './format.ts'
import { STATUS_NAMES, STATUSES, type Status, swatch } from './status.ts'
import { type Store, showTasks } from './store.ts'

export function startProgressPanel(store: Store): void {
  const percent = make('strong', { id: 'percent', class: 'figure' })
  const done = make('span', { id: 'done', class: 'muted' })
  const bar = make('div', { class: 'bar', role: 'img' })
  const list = make('ul', { class: 'statuses' })
  const segments = new Map(STATUS_NAMES.map(status => [status, make('span', { class: STATUSES[status].tone })]))
  const items = new Map(STATUS_NAMES.map(status => [status, makeItem(store, status)]))
  fill(bar, ...segments.values())
  fill(list, ...[...items.values()].map(item => item.row))
  fill(
    byId('progress'),
    make('h2', { id: 'progress-title', class: 'unseen' }, 'Progress'),
    make('p', { class: 'headline' }, percent, done),
    bar,
    list,
  )
  store.job.watch(job => {
    if (job === undefined) return
    setText(percent, formatPercent(job.doneCount, job.total))
    setText(done, `${formatCount(job.doneCount)} of ${formatCount(job.total)} tasks done`)
    bar.setAttribute('aria-label', describe(job))
    for (const status of STATUS_NAMES) {
      const count = job.counts[status]
      const segment = segments.get(status)
      if (segment !== undefined) segment.style.flexGrow = String(job.total > 0 ? count / job.total : 0)
      items.get(status)?.show(count)
    }
  })
}

function makeItem(store: Store, status: Status): { row: HTMLElement; show: (count: number) => void } {
  const number = make('b', { 'data-status': status })
  const { label, tone } = STATUSES[status]
  const button = make('button', { class: 'plain', type: 'button' }, swatch(tone), `${label} `, number)
  button.addEventListener('click', () => showTasks(store, { status }))
  const row = make('li', { hidden: true }, button)
  const show = (count: number) => {
    setText(number, formatCount(count))
    row.hidden = count === 0
  }
  return { row, show }
}

function describe(job: JobView): string {
  const parts = STATUS_NAMES.filter(status => job.counts[status] > 0).map(
    status => `${STATUSES[status].label} ${formatPercent(job.counts[status], job.total)}`,
  )
  return parts.length === 0 ? 'No tasks yet' : parts.join(', ')
}
