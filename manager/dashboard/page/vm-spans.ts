// The tasks inside the bars of VMs, asked for only when few enough are in view, and forgotten when they leave it.
import type { SpanView } from '../api.ts'
import { Refresh } from './refresh.ts'
import type { TimeRange } from './source.ts'
import { finished, type Store } from './store.ts'
import type { VmBar } from './vm-lanes.ts'

export interface VmSpans {
  /** undefined while they are not known. */
  of(vmId: string): readonly SpanView[] | undefined
  /** What is in view now. */
  show(bars: readonly VmBar[], range: TimeRange): void
}

const MOST_VMS = 48
const MOST_TASKS = 8000 // in view: more would be a blur, and megabytes
const AGAIN_MS = 3000

export function makeVmSpans(store: Store, changed: () => void): VmSpans {
  let known = new Map<string, readonly SpanView[]>()
  let wanted: { readonly ids: readonly string[]; readonly range: TimeRange; readonly key: string } | undefined
  let loadedKey = ''
  const refresh = new Refresh(load, { minimumMs: AGAIN_MS, trouble: store.trouble })

  async function load(): Promise<void> {
    if (wanted === undefined || wanted.key === loadedKey) return
    const { ids, range, key } = wanted
    const answers = await Promise.all(ids.map(async id => [id, await store.source.spans(id, range)] as const))
    loadedKey = key
    known = new Map(answers.flatMap(([id, view]) => (view === undefined ? [] : [[id, view.spans] as const])))
    changed()
  }

  return {
    of: vmId => known.get(vmId),
    show(bars, range) {
      if (bars.length === 0 || bars.length > MOST_VMS || expectedTasks(bars, range) > MOST_TASKS) {
        wanted = undefined
        loadedKey = ''
        if (known.size > 0) {
          known = new Map()
          changed()
        }
        return
      }
      const ids = bars.map(bar => bar.vm.id)
      const alive = store.job.current !== undefined && !finished(store.job.current)
      // A running job has new tasks each second; an ended one only what the reader turns to.
      const work = bars.reduce((sum, bar) => sum + bar.vm.attempts, 0)
      const key = `${ids.join(' ')} ${Math.round(range.fromS)} ${alive ? '' : Math.round(range.toS)} ${work}`
      wanted = { ids, range, key }
      if (key !== loadedKey) refresh.request()
    },
  }
}

/** As if its tasks were spread evenly over a VM's life. */
function expectedTasks(bars: readonly VmBar[], { fromS, toS }: TimeRange): number {
  return bars.reduce((sum, bar) => {
    const shared = Math.min(bar.toS, toS) - Math.max(bar.fromS, fromS)
    return sum + (bar.vm.attempts * Math.max(0, shared)) / Math.max(1e-3, bar.toS - bar.fromS)
  }, 0)
}
