// Entry of the process in which a running manager's dashboard lives: it ends with the manager, however that ends.
import { messageOf } from '../../core/errors.ts'
import { giveWay } from './give-way.ts'
import type { BesideMessage } from './open-beside.ts'
import { type Dashboard, type DashboardOptions, openDashboard } from './server.ts'

// Ctrl-C on a terminal reaches every process; the manager decides what it means, and this one follows the manager.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

let dashboard: Dashboard | undefined
process.once('disconnect', () => {
  if (dashboard === undefined) process.exit()
  dashboard.close().then(
    () => process.exit(),
    () => process.exit(1),
  )
})

process.once('message', (options: DashboardOptions) => {
  giveWay()
  openDashboard(options).then(
    opened => {
      dashboard = opened
      tell({ url: opened.url })
    },
    error => tell({ error: messageOf(error) }),
  )
})

function tell(message: BesideMessage): void {
  process.send?.(message)
}
