// The VM that was chosen in the timeline: its facts, and the ways on from it.
import { fill, make } from './dom.ts'
import { epochS } from './shown-range.ts'
import { nowOf, type Store, showTasks } from './store.ts'
import type { Value } from './value.ts'
import { factsOf, kindOf } from './vm-words.ts'

export function makeVmCard(store: Store, selectedId: Value<string | undefined>): HTMLElement {
  const title = make('h3')
  const facts = make('dl', { class: 'facts' })
  const tasks = make('button', { type: 'button' }, 'Show its tasks')
  const zoom = make('button', { type: 'button' }, 'Zoom to it')
  const close = make('button', { type: 'button' }, 'Close')
  const card = make(
    'div',
    { class: 'card', role: 'status', hidden: true },
    title,
    facts,
    make('div', { class: 'buttons' }, tasks, zoom, close),
  )
  const selected = () => store.vms.current.find(vm => vm.id === selectedId.current)
  const show = () => {
    const vm = selected()
    card.hidden = vm === undefined
    if (vm === undefined) return
    fill(title, make('span', { class: 'id' }, vm.id), ` ${kindOf(vm)}`)
    const pairs = factsOf(vm, nowOf(store.job.current))
    fill(facts, ...pairs.map(([name, value]) => make('div', {}, make('dt', {}, name), make('dd', {}, value))))
  }
  tasks.addEventListener('click', () => showTasks(store, { vm: selectedId.current ?? '' }))
  zoom.addEventListener('click', () => {
    const vm = selected()
    if (vm === undefined) return
    const fromS = epochS(vm.launchedAt) ?? 0
    const toS = epochS(vm.endedAt) ?? nowOf(store.job.current).getTime() / 1000
    const margin = Math.max(0.5, (toS - fromS) * 0.05)
    store.range.set({ fromS: fromS - margin, toS: toS + margin })
  })
  close.addEventListener('click', () => selectedId.set(undefined))
  selectedId.watch(show)
  store.vms.watch(show)
  return card
}
