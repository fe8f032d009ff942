// Looks into the demo's database with nothing but SQL, as anybody can.
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

/** 0 while there is no database yet. */
export function countCompleted(file: string): number {
  if (!existsSync(file)) return 0
  try {
    return numberOf(file, "SELECT count(*) FROM tasks WHERE status = 'completed'")
  } catch {
    return 0 // the manager is just making it; the next look will tell
  }
}

export function checkDemo(file: string, taskCount: number): { sentence: string; wrong: readonly string[] } {
  const right = numberOf(
    file,
    `SELECT count(*) FROM tasks WHERE status = 'completed'
     AND result = json_extract(task_data, '$.num1') + json_extract(task_data, '$.num2')`,
  )
  const tasks = numberOf(file, 'SELECT count(*) FROM tasks')
  const retried = numberOf(file, "SELECT count(DISTINCT task_id) FROM events WHERE event_type = 'task_exception'")
  const preempted = numberOf(file, "SELECT count(*) FROM instances WHERE end_reason = 'preempted'")
  const wrong = [
    ...(right === taskCount && tasks === taskCount
      ? []
      : [`${taskCount - right} of ${taskCount} tasks lack their sum.`]),
    ...(retried > 0 ? [] : ['No task needed a second attempt, though ten were to.']),
    ...(preempted > 0 ? [] : ['No VM was preempted, though one was to be.']),
  ]
  const sentence =
    `${right.toLocaleString('en')} of ${tasks.toLocaleString('en')} sums right, ` +
    `${retried} after a failed attempt, ${preempted} VM preempted.`
  return { sentence, wrong }
}

function numberOf(file: string, sql: string): number {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5000 })
  try {
    return Number(Object.values(db.prepare(sql).get() ?? {})[0] ?? 0)
  } finally {
    db.close()
  }
}
