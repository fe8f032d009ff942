// VMs over time, one bar each, below the charts and on their time axis: picture, pointer, keys.
import { byId, fill, make } from './dom.ts'
import { plural } from './format.ts'
import { shownRange } from './shown-range.ts'
import { swatch } from './status.ts'
import { nowOf, type Store } from './store.ts'
import { paintedTheme } from './theme.ts'
import { axisWidth, PLOT_RIGHT_PX } from './time-plot.ts'
import { makeValue } from './value.ts'
import { makeVmCard } from './vm-card.ts'
import { layLanes, type VmBar } from './vm-lanes.ts'
import { barAt, type Scene, taskAt, xOf } from './vm-scene.ts'
import { makeVmSpans } from './vm-spans.ts'
import { makeVmTable } from './vm-table.ts'
import { lostVm, paintTimeline } from './vm-timeline-paint.ts'
import { describeSpan, describeVm } from './vm-words.ts'

const MOST_HEIGHT_PX = 240
const LOWEST_LANE_PX = 7
const HIGHEST_LANE_PX = 30
const TASK_HIT_PX = 5

export function startVmTimeline(store: Store): void {
  const selectedId = makeValue<string | undefined>(undefined)
  const canvas = make('canvas')
  const spacer = make('div', { class: 'spacer' })
  const scroller = make(
    'div',
    { class: 'lanes', tabindex: 0, role: 'application', 'aria-label': 'VMs over time. Arrows: choose a VM.' },
    spacer,
    canvas,
  )
  const tip = make('div', { class: 'tip', hidden: true })
  const count = make('span', { class: 'muted small' })
  const legend = makeLegend()
  const spans = makeVmSpans(store, () => paint())
  fill(
    byId('timeline'),
    make('div', { class: 'timeline-head' }, make('h3', {}, 'VMs, one bar each'), count, legend),
    make('div', { class: 'timeline-box' }, scroller, tip),
    makeVmCard(store, selectedId),
    makeVmTable(store, selectedId),
  )
  const inside = legend.querySelectorAll<HTMLElement>('.inside')
  let scene: Scene | undefined
  let asked = false

  /** At most once a frame, whatever changed. */
  function paint(): void {
    if (asked) return
    asked = true
    requestAnimationFrame(() => {
      asked = false
      scene = paintNow()
    })
  }

  function paintNow(): Scene | undefined {
    const widthPx = scroller.offsetWidth - axisWidth() - PLOT_RIGHT_PX // as the charts; a scroll bar takes of the rest
    const context = canvas.getContext('2d')
    if (widthPx <= 0 || context === null) return undefined
    const range = shownRange(store)
    const { bars, laneCount } = layLanes(store.vms.current, range, nowOf(store.job.current).getTime() / 1000)
    const laneHeightPx = Math.max(
      LOWEST_LANE_PX,
      Math.min(HIGHEST_LANE_PX, Math.floor(MOST_HEIGHT_PX / Math.max(1, laneCount))),
    )
    const contentPx = Math.max(1, laneCount) * laneHeightPx
    const heightPx = Math.min(MOST_HEIGHT_PX, contentPx)
    scroller.style.height = `${heightPx}px`
    spacer.style.height = `${contentPx}px`
    fitCanvas(canvas, context, scroller.offsetWidth, heightPx)
    const shown = { range, leftPx: axisWidth(), widthPx, heightPx, laneHeightPx, scrollPx: scroller.scrollTop }
    count.textContent = `${describeBars(bars)}${contentPx > heightPx ? ', more below' : ''}`
    const next = { ...shown, bars, selectedId: selectedId.current, spansOf: spans.of }
    paintTimeline(context, next)
    for (const item of inside) item.hidden = !bars.some(bar => spans.of(bar.vm.id) !== undefined)
    spans.show(visibleBars(next), range)
    return next
  }

  for (const value of [store.vms, store.range, store.series, store.job, selectedId, paintedTheme]) value.watch(paint)
  scroller.addEventListener('scroll', paint)
  new ResizeObserver(paint).observe(scroller)
  scroller.addEventListener('pointermove', event => {
    const { x, y } = pointOf(event, scroller)
    const bar = scene === undefined ? undefined : barAt(scene, x, y)
    tip.hidden = bar === undefined
    if (scene === undefined || bar === undefined) return
    const task = taskAt(scene, bar, x, y)
    const words = task === undefined ? '' : `${describeSpan(task)}\n\n`
    tip.textContent = words + describeVm(bar.vm, nowOf(store.job.current))
    tip.style.left = `${Math.min(x + 14, Math.max(0, scroller.clientWidth - tip.offsetWidth))}px`
    tip.style.top = `${y + 16}px`
  })
  scroller.addEventListener('pointerleave', () => {
    tip.hidden = true
  })
  scroller.addEventListener('click', event => {
    if (scene === undefined) return
    const { x, y } = pointOf(event, scroller)
    const bar = barAt(scene, x, y)
    const task = bar === undefined ? undefined : taskAt(scene, bar, x, y)
    selectedId.set(bar?.vm.id)
    // Thinner than this, nobody can have meant the task.
    if (task?.taskId && xOf(scene, task.endS) - xOf(scene, task.startS) >= TASK_HIT_PX) store.openTask.set(task.taskId)
  })
  scroller.addEventListener('keydown', event => {
    const step = STEPS[event.key]
    if (scene === undefined || step === undefined) return
    event.preventDefault()
    const next = neighbour(scene.bars, selectedId.current, step)
    selectedId.set(next?.vm.id)
    if (next !== undefined)
      scroller.scrollTop = Math.max(0, (next.lane + 0.5) * scene.laneHeightPx - scene.heightPx / 2)
  })
}

const STEPS: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }

function neighbour(bars: readonly VmBar[], id: string | undefined, step: number): VmBar | undefined {
  const at = bars.findIndex(bar => bar.vm.id === id)
  if (at === -1) return step > 0 ? bars[0] : bars.at(-1)
  return bars[Math.max(0, Math.min(bars.length - 1, at + step))]
}

/** In the canvas's own pixels, however dense the screen is. */
function fitCanvas(
  canvas: HTMLCanvasElement,
  context: CanvasRenderingContext2D,
  widthPx: number,
  heightPx: number,
): void {
  const ratio = window.devicePixelRatio
  const [width, height] = [Math.round(widthPx * ratio), Math.round(heightPx * ratio)]
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width
    canvas.height = height
    canvas.style.width = `${widthPx}px`
    canvas.style.height = `${heightPx}px`
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
}

function visibleBars({ bars, laneHeightPx, scrollPx, heightPx }: Scene): readonly VmBar[] {
  return bars.filter(({ lane }) => (lane + 1) * laneHeightPx > scrollPx && lane * laneHeightPx < scrollPx + heightPx)
}

/** From the corner of what is seen: of the spacer the event counts from the top of all lanes. */
function pointOf({ clientX, clientY }: MouseEvent, scroller: HTMLElement): { x: number; y: number } {
  const { left, top } = scroller.getBoundingClientRect()
  return { x: clientX - left, y: clientY - top }
}

function describeBars(bars: readonly VmBar[]): string {
  const lost = bars.filter(({ vm }) => lostVm(vm.endReason)).length
  return `${plural(bars.length, 'VM')} in this time, ${lost} taken away`
}

function makeLegend(): HTMLElement {
  const items = [
    ['boot', 'starting'],
    ['working', 'working'],
    ['retry', 'told of its end'],
  ] as const
  const inside = [
    ['completed', 'task completed'],
    ['failed', 'task failed'],
  ] as const
  return make(
    'ul',
    { class: 'legend' },
    ...items.map(([tone, label]) => make('li', {}, swatch(tone), label)),
    make('li', {}, make('span', { class: 'cross', 'aria-hidden': 'true' }, '✕'), 'taken away'),
    ...inside.map(([tone, label]) => make('li', { class: 'inside' }, swatch(tone), label)),
  )
}
