// The tasks, a page of rows at a time: narrowed, sorted and counted by whoever has them all.
import type { TaskSort } from '../api.ts'
import { byId, fill, make, setText } from './dom.ts'
import { formatCount, plural } from './format.ts'
import { Refresh } from './refresh.ts'
import { finished, type Store } from './store.ts'
import { makeTaskFilters } from './task-filters.ts'
import { makeTaskRows } from './task-rows.ts'

const AGAIN_MS = 2000

interface Column {
  readonly label: string
  readonly sort?: TaskSort
  /** The direction that is wanted first. */
  readonly descendingFirst?: boolean
  readonly class?: string
}

const COLUMNS: readonly Column[] = [
  { label: 'Task', sort: 'order' },
  { label: 'Status' },
  { label: 'Attempt', sort: 'attempts', descendingFirst: true, class: 'number' },
  { label: 'Time', sort: 'elapsed', descendingFirst: true, class: 'number' },
  { label: 'Ended', sort: 'ended', descendingFirst: true },
  { label: 'VM', class: 'spare' },
  { label: 'What came of it', class: 'spare' },
]

export function startTasksPanel(store: Store): void {
  const total = make('span', { class: 'muted', role: 'status', id: 'matching' })
  const rows = makeTaskRows(store)
  const heads = COLUMNS.map(column => makeHead(store, column))
  const table = make(
    'table',
    { class: 'tasks' },
    make('caption', { class: 'unseen' }, 'Tasks'),
    make('thead', {}, make('tr', {}, ...heads.map(head => head.cell))),
    rows.body,
  )
  const previous = make('button', { type: 'button' }, 'Previous')
  const next = make('button', { type: 'button' }, 'Next')
  const page = make('span', { class: 'muted', id: 'page' })
  const note = make('span', { class: 'muted' })
  fill(
    byId('tasks'),
    make('header', {}, make('h2', { id: 'tasks-title' }, 'Tasks'), total),
    makeTaskFilters(store),
    make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Rows of tasks' }, table),
    make('div', { class: 'buttons pager' }, previous, next, page, note),
  )

  /** Cursors of the pages up to the one shown; the first page needs none. */
  let cursors: readonly (string | undefined)[] = [undefined]
  let nextCursor: string | undefined
  let seen = ''

  const refresh = new Refresh(load, { minimumMs: AGAIN_MS, trouble: store.trouble })
  async function load(): Promise<void> {
    const [query, after] = [store.query.current, cursors.at(-1)]
    const view = await store.source.tasks(query, after)
    if (query !== store.query.current || after !== cursors.at(-1)) return // the reader has gone on
    nextCursor = view.next
    rows.show(view.rows)
    setText(total, `${plural(view.totalMatching, 'task')}${view.complete ? '' : ' so far; still reading'}`)
    setText(note, view.note ?? '')
    previous.disabled = cursors.length === 1
    next.disabled = nextCursor === undefined
    setText(page, view.rows.length === 0 ? 'No task matches.' : `Page ${formatCount(cursors.length)}`)
  }

  previous.addEventListener('click', () => {
    cursors = cursors.slice(0, -1)
    refresh.demand()
  })
  next.addEventListener('click', () => {
    if (nextCursor !== undefined) cursors = [...cursors, nextCursor]
    refresh.demand()
  })
  store.query.watch(() => {
    cursors = [undefined]
    for (const head of heads) head.show()
    refresh.demand()
  })
  store.job.watch(job => {
    if (job === undefined) return
    const changed = `${JSON.stringify(job.counts)} ${job.indexedShare} ${finished(job)}`
    if (changed === seen) return
    seen = changed
    refresh.request()
  })
}

function makeHead(store: Store, { label, sort, descendingFirst = false, class: name }: Column) {
  const cell = make('th', { scope: 'col', class: name })
  if (sort === undefined) {
    fill(cell, label)
    return { cell, show: () => undefined }
  }
  const arrow = make('span', { 'aria-hidden': 'true' })
  const button = make('button', { class: 'plain', type: 'button' }, label, arrow)
  fill(cell, button)
  button.addEventListener('click', () => {
    const query = store.query.current
    store.query.set({ ...query, sort, descending: query.sort === sort ? !query.descending : descendingFirst })
  })
  const show = () => {
    const { sort: current, descending } = store.query.current
    if (current === sort) cell.setAttribute('aria-sort', descending ? 'descending' : 'ascending')
    else cell.removeAttribute('aria-sort')
    setText(arrow, current === sort ? (descending ? ' ↓' : ' ↑') : '')
  }
  return { cell, show }
}
