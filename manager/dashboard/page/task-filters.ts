// Narrows the task table by text, status, cause and VM.
import { fill, make } from './dom.ts'
import { formatCount } from './format.ts'
import { STATUS_NAMES, STATUSES, statusesOf } from './status.ts'
import { ALL_TASKS, type Store } from './store.ts'

const PAUSE_MS = 200 // between two keys of somebody who types
const MOST_VMS = 300 // offered for completion

const GROUPS = [
  { label: 'All', value: '' },
  { label: 'Not done', value: statusesOf('waiting', 'idle', 'retry').join(',') },
  { label: 'Failed, all kinds', value: statusesOf('failed').join(',') },
  { label: 'To be tried again', value: statusesOf('retry').join(',') },
]

export function makeTaskFilters(store: Store): HTMLElement {
  const search = make('input', { type: 'search', name: 'search', spellcheck: 'false', autocomplete: 'off' })
  const status = make('select', { name: 'status' })
  const cause = make('select', { name: 'exception' })
  const vm = make('input', { type: 'search', name: 'vm', list: 'vm-ids', spellcheck: 'false', autocomplete: 'off' })
  const vmIds = make('datalist', { id: 'vm-ids' })
  const clear = make('button', { type: 'button' }, 'Show all')
  const field = (label: string, control: HTMLElement) => make('label', {}, make('span', {}, label), control)
  const form = make(
    'form',
    { class: 'filters', role: 'search', 'aria-label': 'Narrow the tasks' },
    field('Task id contains', search),
    field('Status', status),
    field('What went wrong', cause),
    field('VM', vm),
    vmIds,
    clear,
  )
  const change = (part: object) => store.query.set({ ...store.query.current, ...part })
  form.addEventListener('submit', event => event.preventDefault())
  status.addEventListener('change', () => change({ status: status.value }))
  cause.addEventListener('change', () => change({ exception: cause.value }))
  afterTyping(search, () => change({ search: search.value }))
  afterTyping(vm, () => change({ vm: vm.value.trim() }))
  clear.addEventListener('click', () => store.query.set(ALL_TASKS))

  fill(status, ...GROUPS.map(({ label, value }) => make('option', { value }, label)), ...statusOptions())
  store.exceptions.watch(groups => {
    const wanted = store.query.current.exception
    const options = groups.map(({ id, firstLine, count }) =>
      make('option', { value: id }, `${formatCount(count)} × ${firstLine.slice(0, 80)}`),
    )
    const gone = wanted !== '' && !groups.some(({ id }) => id === wanted)
    fill(
      cause,
      make('option', { value: '' }, 'Anything'),
      ...options,
      gone && make('option', { value: wanted }, 'The chosen one'),
    )
    cause.value = wanted
  })
  store.vms.watch(vms => {
    if (vms.length !== vmIds.children.length && vmIds.children.length < MOST_VMS) {
      fill(vmIds, ...vms.slice(-MOST_VMS).map(({ id }) => make('option', { value: id })))
    }
  })
  store.query.watch(query => {
    status.value = query.status
    cause.value = query.exception
    if (document.activeElement !== search) search.value = query.search
    if (document.activeElement !== vm) vm.value = query.vm
    const { status: byStatus, exception, vm: byVm, search: text } = query
    clear.disabled = [byStatus, exception, byVm, text].every(part => part === '')
  })
  return form
}

function statusOptions(): HTMLElement[] {
  return STATUS_NAMES.map(name => make('option', { value: name }, STATUSES[name].label))
}

function afterTyping(input: HTMLInputElement, done: () => void): void {
  let timer: number | undefined
  input.addEventListener('input', () => {
    clearTimeout(timer)
    timer = setTimeout(done, PAUSE_MS)
  })
}
