// What fails, grouped by what it says, most frequent first.
import type { ExceptionGroupView } from '../api.ts'
import { byId, fill, make } from './dom.ts'
import { formatCount, formatTime } from './format.ts'
import { nowOf, type Store, showTasks } from './store.ts'

const MOST_ROWS = 12 // the table's filter has the others

export function startExceptionsPanel(store: Store): void {
  const list = make('ul', { class: 'groups' })
  const note = make('p', { class: 'muted' })
  fill(byId('exceptions'), make('header', {}, make('h2', { id: 'exceptions-title' }, 'What goes wrong')), list, note)
  let shown = ''
  store.exceptions.watch(groups => {
    const text = JSON.stringify(groups.slice(0, MOST_ROWS))
    if (text === shown) return
    shown = text
    const open = new Set([...list.querySelectorAll('details[open]')].map(element => element.getAttribute('data-group')))
    const most = groups[0]?.count ?? 1
    fill(list, ...groups.slice(0, MOST_ROWS).map(group => makeRow(store, group, { most, open: open.has(group.id) })))
    note.textContent = noteFor(groups)
  })
}

function noteFor(groups: readonly ExceptionGroupView[]): string {
  if (groups.length === 0) return 'Nothing so far.'
  return groups.length > MOST_ROWS ? `and ${formatCount(groups.length - MOST_ROWS)} more kinds` : ''
}

function makeRow(
  store: Store,
  group: ExceptionGroupView,
  { most, open }: { most: number; open: boolean },
): HTMLElement {
  const share = make('span', { class: 'share failed' })
  share.style.width = `${Math.max(1, (group.count / most) * 100)}%`
  const show = make('button', { type: 'button' }, 'Show these tasks')
  show.addEventListener('click', () => showTasks(store, { exception: group.id }))
  const last =
    group.lastAt === undefined
      ? undefined
      : formatTime(new Date(group.lastAt), { seconds: true, today: nowOf(store.job.current) })
  const details = make(
    'details',
    { 'data-group': group.id, open },
    make('summary', {}, make('b', {}, formatCount(group.count)), make('span', { class: 'cut' }, group.firstLine)),
    make('p', { class: 'muted small' }, last === undefined ? '' : `Last at ${last}`),
    make('pre', { tabindex: 0 }, group.sample),
    show,
  )
  return make('li', {}, details, share)
}
