// Reads the results of all tasks out of the job database with nothing but SQLite.
import { DatabaseSync } from 'node:sqlite'
import type { Group } from './flights.ts'
import type { Delays } from './task.ts'

export interface Row extends Delays {
  readonly group: Group
  /** `DTW`, or `250–499 mi`. */
  readonly label: string
}

export function readResults(file: string): { rows: readonly Row[]; unfinished: readonly string[] } {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    const done = db.prepare("SELECT task_data, result FROM tasks WHERE status = 'completed' ORDER BY rowid").all()
    const open = db.prepare("SELECT task_id FROM tasks WHERE status != 'completed' ORDER BY rowid").all()
    return {
      rows: done.map(({ task_data: data, result }) => {
        const { group }: { group: Group } = JSON.parse(String(data))
        const delays: Delays = JSON.parse(String(result))
        return { ...delays, group, label: labelOf(group) }
      }),
      unfinished: open.map(({ task_id: id }) => String(id)),
    }
  } finally {
    db.close()
  }
}

function labelOf(group: Group): string {
  return group.by === 'origin' ? group.airport : `${group.fromMiles}–${group.belowMiles - 1} mi`
}
