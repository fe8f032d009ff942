// Draws the bars of VMs, what happened to them, and the tasks inside, on a canvas. Knows nothing of pointers and keys.
import { epochS } from './shown-range.ts'
import { outcomeTone } from './status.ts'
import { type ColorName, color } from './theme.ts'
import type { VmBar } from './vm-lanes.ts'
import { barHeight, type Scene, taskBoxes, xOf } from './vm-scene.ts'

const SMALLEST_BAR_PX = 1.5
const NOTICE_PX = 4
const LABEL_FROM_PX = 15 // lanes lower than this have no room for words

export function paintTimeline(context: CanvasRenderingContext2D, scene: Scene): void {
  const { leftPx, widthPx, heightPx } = scene
  context.clearRect(0, 0, leftPx + widthPx, heightPx)
  context.save()
  context.beginPath()
  context.rect(leftPx, 0, widthPx, heightPx)
  context.clip()
  const palette = paletteOf()
  for (const bar of scene.bars) {
    const y = bar.lane * scene.laneHeightPx - scene.scrollPx
    if (y + scene.laneHeightPx >= 0 && y <= heightPx) paintBar(context, scene, bar, y, palette)
  }
  context.restore()
}

/** A VM that was taken away, rather than ended by the manager or by itself. */
export function lostVm(endReason: string | undefined): boolean {
  return endReason === 'preempted' || endReason === 'host failed'
}

type Palette = Readonly<Record<ColorName, string>>

/** Asked once a picture: there may be thousands of bars. */
function paletteOf(): Palette {
  const names = [
    'ink',
    'muted',
    'line',
    'surface',
    'sunken',
    'accent',
    'completed',
    'running',
    'waiting',
    'retry',
    'failed',
    'boot',
    'working',
    'idle',
  ] as const
  return Object.fromEntries(names.map(name => [name, color(name)])) as Palette // all of its names
}

function paintBar(context: CanvasRenderingContext2D, scene: Scene, bar: VmBar, y: number, palette: Palette): void {
  const { vm, fromS, toS } = bar
  const height = barHeight(scene)
  const box = (beginS: number, endS: number, fillColor: string) => {
    const left = Math.max(xOf(scene, beginS), scene.leftPx - 2)
    const right = Math.min(xOf(scene, endS), scene.leftPx + scene.widthPx + 2)
    context.fillStyle = fillColor
    context.fillRect(left, y, Math.max(right - left, SMALLEST_BAR_PX), height)
  }
  const readyS = Math.min(epochS(vm.readyAt) ?? toS, toS)
  const noticeS = epochS(vm.noticeAt)
  const spans = scene.spansOf(vm.id)
  box(fromS, readyS, palette.boot)
  if (readyS < toS) box(readyS, toS, spans === undefined ? palette.working : palette.sunken)
  if (spans !== undefined) paintTasks(context, scene, bar, palette)
  if (noticeS !== undefined && noticeS <= toS) {
    // Often a moment only, and always worth seeing.
    box(
      Math.min(noticeS, toS - (NOTICE_PX / scene.widthPx) * (scene.range.toS - scene.range.fromS)),
      toS,
      palette.retry,
    )
  }
  if (lostVm(vm.endReason)) paintKill(context, xOf(scene, toS), y, height, palette.failed)
  if (scene.laneHeightPx >= LABEL_FROM_PX) paintLabel(context, scene, bar, y + height / 2, palette)
  if (vm.id === scene.selectedId) {
    context.strokeStyle = palette.ink
    context.lineWidth = 2
    const left = xOf(scene, fromS)
    context.strokeRect(left, y + 1, Math.max(xOf(scene, toS) - left, 3), Math.max(height - 2, 2))
  }
}

function paintTasks(context: CanvasRenderingContext2D, scene: Scene, bar: VmBar, palette: Palette): void {
  for (const { span, left, right, top, height } of taskBoxes(scene, bar)) {
    const width = right - left
    context.fillStyle = palette[outcomeTone(span.outcome)]
    const seam = width > 3 ? 0.75 : 0
    context.fillRect(left, top, Math.max(width - seam, 0.75), Math.max(height - 0.5, 1))
  }
}

/** A cross and a line: not by colour alone. */
function paintKill(context: CanvasRenderingContext2D, x: number, y: number, height: number, fillColor: string): void {
  context.fillStyle = fillColor
  context.fillRect(x - 1, y, 2, height)
  if (height < 5) return
  const arm = Math.min(4.5, height / 2)
  const middle = y + height / 2
  context.strokeStyle = fillColor
  context.lineWidth = 1.75
  context.beginPath()
  for (const direction of [1, -1]) {
    context.moveTo(x - arm, middle - arm * direction)
    context.lineTo(x + arm, middle + arm * direction)
  }
  context.stroke()
}

function paintLabel(
  context: CanvasRenderingContext2D,
  scene: Scene,
  bar: VmBar,
  middle: number,
  palette: Palette,
): void {
  if (scene.spansOf(bar.vm.id) !== undefined) return // tasks are drawn where it would stand
  const left = Math.max(xOf(scene, Math.max(bar.fromS, epochS(bar.vm.readyAt) ?? bar.fromS)), scene.leftPx)
  const room = Math.min(xOf(scene, bar.toS), scene.leftPx + scene.widthPx) - left - 12
  context.font = '11px system-ui, sans-serif'
  const text = `${bar.vm.id}  ${bar.vm.type ?? ''}`
  if (context.measureText(text).width > room) return
  context.fillStyle = palette.surface
  context.textBaseline = 'middle'
  context.fillText(text, left + 6, middle)
}
