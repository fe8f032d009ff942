// The tasks that took longest.
import type { TaskRow } from '../api.ts'
import { byId, fill, make } from './dom.ts'
import { formatDuration } from './format.ts'
import { STATUSES } from './status.ts'
import type { Store } from './store.ts'
import { showTasks } from './store.ts'

const MOST_ROWS = 10

export function makeSlowestPanel(store: Store): (rows: readonly TaskRow[]) => void {
  const list = make('ol', { class: 'groups' })
  const note = make('p', { class: 'muted' })
  const all = make('button', { class: 'plain link', type: 'button' }, 'All, slowest first')
  all.addEventListener('click', () => showTasks(store, { sort: 'elapsed', descending: true }))
  fill(byId('slowest'), make('header', {}, make('h2', { id: 'slowest-title' }, 'Slowest tasks'), all), list, note)
  let shown = ''
  return rows => {
    const text = JSON.stringify(rows.slice(0, MOST_ROWS))
    if (text === shown) return
    shown = text
    const most = rows[0]?.elapsedSeconds ?? 1
    fill(list, ...rows.slice(0, MOST_ROWS).map(row => makeRow(store, row, most)))
    note.textContent = rows.length === 0 ? 'None has ended yet.' : ''
  }
}

function makeRow(store: Store, { taskId, elapsedSeconds = 0, status }: TaskRow, most: number): HTMLElement {
  const { tone } = STATUSES[status]
  const share = make('span', { class: `share ${tone}` })
  share.style.width = `${Math.max(1, (elapsedSeconds / (most || 1)) * 100)}%`
  const button = make(
    'button',
    { class: 'plain', type: 'button' },
    make('b', {}, formatDuration(elapsedSeconds)),
    make('span', { class: 'cut id' }, taskId),
  )
  button.addEventListener('click', () => store.openTask.set(taskId))
  return make('li', {}, button, share)
}
