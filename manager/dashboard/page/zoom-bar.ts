// Chooses the span of time that charts and timeline show: by buttons, and by the keys + − 0 while it has the focus.
import { make } from './dom.ts'
import { shownRange, wholeRange } from './shown-range.ts'
import type { TimeRange } from './source.ts'
import type { Store } from './store.ts'

const FACTOR = 2
const SMALLEST_S = 2

export function makeZoomBar(store: Store, panel: HTMLElement): HTMLElement {
  const button = (label: string, name: string, change: () => void) => {
    const element = make('button', { type: 'button', 'aria-label': name, title: name }, label)
    element.addEventListener('click', change)
    return element
  }
  const show = (range: TimeRange) => store.range.set(within(range, wholeRange(store)))
  const zoom = (factor: number) => show(scaled(shownRange(store), factor))
  const pan = (share: number) => show(moved(shownRange(store), share))
  const whole = button('Whole job', 'Show the whole job', () => store.range.set(undefined))
  store.range.watch(range => {
    whole.disabled = range === undefined
  })
  panel.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === '+' || event.key === '=') zoom(1 / FACTOR)
    else if (event.key === '-') zoom(FACTOR)
    else if (event.key === '0') store.range.set(undefined)
  })
  return make(
    'div',
    { class: 'buttons', role: 'group', 'aria-label': 'Time shown' },
    button('◀', 'Earlier', () => pan(-0.5)),
    button('▶', 'Later', () => pan(0.5)),
    button('+', 'Zoom in', () => zoom(1 / FACTOR)),
    button('−', 'Zoom out', () => zoom(FACTOR)),
    whole,
  )
}

function scaled({ fromS, toS }: TimeRange, factor: number): TimeRange {
  const [middle, half] = [(fromS + toS) / 2, Math.max(SMALLEST_S, (toS - fromS) * factor) / 2]
  return { fromS: middle - half, toS: middle + half }
}

function moved({ fromS, toS }: TimeRange, share: number): TimeRange {
  const by = (toS - fromS) * share
  return { fromS: fromS + by, toS: toS + by }
}

/** Nothing outside the job is worth seeing; undefined = all of it. */
function within({ fromS, toS }: TimeRange, whole: TimeRange): TimeRange | undefined {
  const length = toS - fromS
  if (length >= whole.toS - whole.fromS) return undefined
  const begin = Math.min(Math.max(fromS, whole.fromS), whole.toS - length)
  return { fromS: begin, toS: begin + length }
}
