// The part of the address behind the #: the token of control, taken out of sight at once; then what the reader looks at.
import type { TaskQuery } from './source.ts'
import { ALL_TASKS, type Store } from './store.ts'

const TOKEN_KEY = 'cloud-tasks-token'

/** Kept for reloads of this tab; no longer in the address, which gets copied and photographed. */
export function takeToken(): string | undefined {
  const given = new URLSearchParams(location.hash.slice(1)).get('token')
  if (given === null) return sessionStorage.getItem(TOKEN_KEY) ?? undefined
  sessionStorage.setItem(TOKEN_KEY, given)
  history.replaceState(null, '', location.pathname)
  return given
}

/** A copied address shows the same tasks. */
export function followAddress(store: Store): void {
  const read = () => {
    const words = new URLSearchParams(location.hash.slice(1))
    if (render(store) === words.toString()) return
    store.query.set(queryOf(words))
    store.openTask.set(words.get('task') ?? undefined)
  }
  const write = () => {
    const words = render(store)
    const address = words === '' ? location.pathname + location.search : `#${words}`
    if (words !== location.hash.slice(1)) history.replaceState(null, '', address)
  }
  read()
  addEventListener('hashchange', read)
  store.query.watch(write)
  store.openTask.watch(write)
}

function render({ query, openTask }: Store): string {
  const { descending, ...texts } = query.current
  const words = new URLSearchParams()
  for (const [name, value] of Object.entries(texts)) {
    if (value !== '' && value !== ALL_TASKS.sort) words.set(name, value)
  }
  if (descending) words.set('dir', 'desc')
  if (openTask.current !== undefined) words.set('task', openTask.current)
  return words.toString()
}

function queryOf(words: URLSearchParams): TaskQuery {
  const text = (name: string) => words.get(name) ?? ''
  const sort = text('sort')
  return {
    status: text('status'),
    exception: text('exception'),
    vm: text('vm'),
    search: text('search'),
    sort: sort === 'elapsed' || sort === 'ended' || sort === 'attempts' ? sort : 'order',
    descending: text('dir') === 'desc',
  }
}
