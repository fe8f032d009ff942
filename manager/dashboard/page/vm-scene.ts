// Where VMs and their tasks are in the picture of the timeline, and which of them is at a point of it. Draws nothing.
import type { SpanView } from '../api.ts'
import type { TimeRange } from './source.ts'
import type { VmBar } from './vm-lanes.ts'

export interface Scene {
  readonly bars: readonly VmBar[]
  readonly range: TimeRange
  readonly leftPx: number
  readonly widthPx: number
  readonly heightPx: number
  readonly laneHeightPx: number
  readonly scrollPx: number
  readonly selectedId: string | undefined
  readonly spansOf: (vmId: string) => readonly SpanView[] | undefined
}

const GAP_SHARE = 0.18 // of a lane
const TASK_MARGIN_PX = 2
const LOWEST_TASK_PX = 3
const REACH_PX = 3 // short bars are hard to hit

/** Where an instant is, in pixels from the left. */
export function xOf({ range, leftPx, widthPx }: Pick<Scene, 'range' | 'leftPx' | 'widthPx'>, atS: number): number {
  return leftPx + ((atS - range.fromS) / (range.toS - range.fromS)) * widthPx
}

export function barHeight({ laneHeightPx }: Scene): number {
  return laneHeightPx - Math.max(1, laneHeightPx * GAP_SHARE)
}

/** Of the VM whose bar is there; a later one lies on top. */
export function barAt(scene: Scene, x: number, y: number): VmBar | undefined {
  const lane = Math.floor((y + scene.scrollPx) / scene.laneHeightPx)
  return scene.bars.findLast(
    bar => bar.lane === lane && x >= xOf(scene, bar.fromS) - REACH_PX && x <= xOf(scene, bar.toS) + REACH_PX,
  )
}

interface TaskBox {
  readonly span: SpanView
  readonly left: number
  readonly right: number
  readonly top: number
  readonly height: number
}

/** One row a place on the VM: a task takes the first that is free. */
export function* taskBoxes(scene: Scene, { vm, lane }: VmBar): Generator<TaskBox> {
  const barPx = barHeight(scene)
  const rowCount = Math.max(1, Math.min(vm.slots ?? 1, Math.floor(barPx / LOWEST_TASK_PX)))
  const height = (barPx - TASK_MARGIN_PX) / rowCount
  const ends: number[] = []
  for (const span of scene.spansOf(vm.id) ?? []) {
    const free = ends.findIndex(end => end <= span.startS + 1e-3)
    const row = Math.min(free === -1 ? ends.length : free, rowCount - 1)
    ends[row] = span.endS
    const top = lane * scene.laneHeightPx - scene.scrollPx + 1 + row * height
    yield { span, left: xOf(scene, span.startS), right: xOf(scene, span.endS), top, height }
  }
}

export function taskAt(scene: Scene, bar: VmBar, x: number, y: number): SpanView | undefined {
  for (const { span, left, right, top, height } of taskBoxes(scene, bar)) {
    if (x >= left && x <= right && y >= top && y <= top + height) return span
  }
  return undefined
}
