// Lays the bars of VMs into lanes: a lane that a VM has left is the next one's. Pure.
import type { VmRow } from '../api.ts'
import { epochS } from './shown-range.ts'
import type { TimeRange } from './source.ts'

export interface VmBar {
  readonly vm: VmRow
  readonly lane: number
  readonly fromS: number
  /** Of a VM that lives: now. */
  readonly toS: number
}

export interface Lanes {
  readonly bars: readonly VmBar[]
  readonly laneCount: number
}

/** Of the VMs that live in `range`; `vms` is in the order of launches. */
export function layLanes(vms: readonly VmRow[], range: TimeRange, nowS: number): Lanes {
  const ends: number[] = []
  const bars: VmBar[] = []
  for (const vm of vms) {
    const fromS = epochS(vm.launchedAt) ?? 0
    const toS = Math.max(fromS, epochS(vm.endedAt) ?? nowS)
    if (toS < range.fromS || fromS > range.toS) continue
    const free = ends.findIndex(end => end <= fromS)
    const lane = free === -1 ? ends.length : free
    ends[lane] = toS
    bars.push({ vm, lane, fromS, toS })
  }
  return { bars, laneCount: ends.length }
}
