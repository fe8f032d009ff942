// The VMs as a table, for those who cannot see or use the timeline. Filled only while it is open.
import type { VmRow } from '../api.ts'
import { fill, make, setText } from './dom.ts'
import { formatCount, formatDuration, formatTime, formatUsd, plural, UNKNOWN } from './format.ts'
import { epochS } from './shown-range.ts'
import { nowOf, type Store } from './store.ts'
import type { Value } from './value.ts'

const MOST_ROWS = 200
const NUMBERS = new Set(['Lived', 'Completed', 'Cost'])

export function makeVmTable(store: Store, selectedId: Value<string | undefined>): HTMLElement {
  const body = make('tbody')
  const note = make('p', { class: 'muted' })
  const heads = ['VM', 'Type', 'Zone', 'Kind', 'Launched', 'Lived', 'How it ended', 'Completed', 'Cost']
  const table = make(
    'table',
    {},
    make('caption', { class: 'unseen' }, 'VMs, newest first'),
    make(
      'thead',
      {},
      make('tr', {}, ...heads.map(head => make('th', { scope: 'col', class: NUMBERS.has(head) && 'number' }, head))),
    ),
    body,
  )
  const box = make('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'VMs, newest first' }, table)
  const details = make('details', { class: 'small' }, make('summary', {}, 'The VMs as a table'), box, note)
  const show = () => {
    if (!details.open) return
    const all = store.vms.current
    const now = nowOf(store.job.current)
    fill(
      body,
      ...all
        .slice(-MOST_ROWS)
        .toReversed()
        .map(vm => rowOf(vm, now, selectedId)),
    )
    setText(note, all.length > MOST_ROWS ? `The newest ${MOST_ROWS} of ${plural(all.length, 'VM')}.` : '')
  }
  details.addEventListener('toggle', show)
  store.vms.watch(show)
  return details
}

function rowOf(vm: VmRow, now: Date, selectedId: Value<string | undefined>): HTMLElement {
  const button = make('button', { class: 'plain link id', type: 'button' }, vm.id)
  button.addEventListener('click', () => selectedId.set(vm.id))
  const seconds = (epochS(vm.endedAt) ?? now.getTime() / 1000) - (epochS(vm.launchedAt) ?? 0)
  const cell = (text: string | undefined) => make('td', {}, text ?? UNKNOWN)
  const number = (text: string) => make('td', { class: 'number' }, text)
  return make(
    'tr',
    {},
    make('th', { scope: 'row' }, button),
    cell(vm.type),
    cell(vm.zone),
    cell(vm.spot === undefined ? undefined : vm.spot ? 'spot' : 'on demand'),
    cell(formatTime(new Date(vm.launchedAt), { seconds: true })),
    number(formatDuration(seconds)),
    cell(vm.endedAt === undefined ? vm.state : (vm.endReason ?? 'ended')),
    number(formatCount(vm.completed)),
    number(vm.costUsd === undefined ? UNKNOWN : formatUsd(vm.costUsd)),
  )
}
