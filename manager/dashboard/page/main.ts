// Starts the page: where its data come from, who shows them, and what is asked for again when something changes.

import type { VmRow } from '../api.ts'
import { followAddress, takeToken } from './address.ts'
import { startChartsPanel } from './charts-panel.ts'
import { startControlsPanel } from './controls-panel.ts'
import { startExceptionsPanel } from './exceptions-panel.ts'
import { makeHistogramPanel } from './histogram-panel.ts'
import { openLiveSource } from './live-source.ts'
import { startProgressPanel } from './progress-panel.ts'
import { Refresh } from './refresh.ts'
import { openReportSource } from './report-source.ts'
import { makeSlowestPanel } from './slowest-panel.ts'
import type { Source } from './source.ts'
import { makeStore, type Store } from './store.ts'
import { startTaskDialog } from './task-dialog.ts'
import { startTasksPanel } from './tasks-panel.ts'
import { startTheme } from './theme.ts'
import { startTiles } from './tiles.ts'
import { startTopBar } from './top-bar.ts'
import { startVmTimeline } from './vm-timeline.ts'

const SIDE_AGAIN_MS = 3000
const SERIES_AGAIN_MS = 2000

const source: Source = openReportSource() ?? openLiveSource(takeToken())
const store = makeStore(source)

startTheme()
startTopBar(store)
startProgressPanel(store)
startTiles(store)
startChartsPanel(store)
startVmTimeline(store)
startExceptionsPanel(store)
startTasksPanel(store)
startTaskDialog(store)
startControlsPanel(store)
followAddress(store)
keepCurrent(store, { slowest: makeSlowestPanel(store), histogram: makeHistogramPanel() })

interface SidePanels {
  readonly slowest: ReturnType<typeof makeSlowestPanel>
  readonly histogram: ReturnType<typeof makeHistogramPanel>
}

function keepCurrent(
  { source, job, series, vms, exceptions, range, connected, trouble }: Store,
  side: SidePanels,
): void {
  const sides = new Refresh(
    async () => {
      const [groups, slowest, histogram] = await Promise.all([
        source.exceptions(),
        source.slowest(),
        source.histogram(),
      ])
      exceptions.set(groups.groups)
      side.slowest(slowest.rows)
      side.histogram(histogram)
    },
    { minimumMs: SIDE_AGAIN_MS, trouble },
  )
  const zoomed = new Refresh(
    async () => {
      const wanted = range.current
      const view = await source.series(wanted)
      if (wanted === range.current) series.set(view)
    },
    { minimumMs: SERIES_AGAIN_MS, trouble },
  )
  const everything = new Refresh(
    async () => {
      const [view, rows] = await Promise.all([source.job(), source.vms()])
      job.set(view)
      vms.set(rows.vms)
    },
    { minimumMs: 0, trouble },
  )
  const load = () => {
    for (const part of [everything, zoomed, sides]) part.demand()
  }
  load()
  range.watch(() => zoomed.demand())
  source.follow({
    job: view => {
      job.set(view)
      sides.request()
    },
    series: view => (range.current === undefined ? series.set(view) : zoomed.request()),
    vms: ({ vms: rows }) => vms.set(merge(vms.current, rows)),
    reset: load,
    connected: now => {
      const back = now && !connected.current
      connected.set(now)
      if (back) load() // who knows what happened meanwhile
    },
  })
}

/** In the order of launches, as the server has them. */
function merge(known: readonly VmRow[], changed: readonly VmRow[]): readonly VmRow[] {
  const rows = new Map(known.map(vm => [vm.id, vm]))
  for (const vm of changed) rows.set(vm.id, vm)
  return [...rows.values()].sort((a, b) => (a.launchedAt < b.launchedAt ? -1 : a.launchedAt > b.launchedAt ? 1 : 0))
}
