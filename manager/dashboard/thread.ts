// Entry of the thread in which a running manager's dashboard lives: it dies with the manager and never stops it from working.
import { parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '../../core/errors.ts'
import { giveWay } from './give-way.ts'
import type { ThreadMessage } from './open-thread.ts'
import { type DashboardOptions, openDashboard } from './server.ts'

const tell = (message: ThreadMessage) => parentPort?.postMessage(message)

if (process.platform === 'linux') giveWay() // elsewhere it would be the manager's priority
try {
  const dashboard = await openDashboard(workerData as DashboardOptions)
  parentPort?.once('message', () => {
    dashboard.close().then(
      () => parentPort?.close(),
      error => tell({ error: messageOf(error) }),
    )
  })
  tell({ url: dashboard.url })
} catch (error) {
  tell({ error: messageOf(error) })
}
