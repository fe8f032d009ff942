// Writes down what the page asks of the manager. The only thing that the dashboard ever writes.
import { DatabaseSync } from 'node:sqlite'
import { UserError } from '../../core/errors.ts'
import { requestControl } from '../controls.ts'
import { hasTable } from '../job-db-open.ts'
import { isManaged } from '../manager-lease.ts'
import type { ControlRequest } from './api.ts'

const LOCK_WAIT_MS = 5000

/** Answered with 409. */
export class NobodyListens extends UserError {}

export function placeOrder(file: string, request: ControlRequest, now: Date): void {
  const sqlite = new DatabaseSync(file, { timeout: LOCK_WAIT_MS })
  try {
    if (!hasTable(sqlite, 'controls') || !isManaged(sqlite, now)) {
      throw new NobodyListens('No manager looks after the job now. Start it again with: cloud-tasks run --continue')
    }
    const limits =
      request.action === 'limits'
        ? {
            ...(request.maxInstances === undefined ? undefined : { maxInstances: request.maxInstances }),
            ...(request.maxTotalCostUsd === undefined ? undefined : { maxTotalCostUsd: request.maxTotalCostUsd }),
          }
        : {}
    requestControl(sqlite, { action: request.action, limits }, now)
  } finally {
    sqlite.close()
  }
}
