// Notes where and when it starts, then does nothing for a while, except on a VM that is named as the one to spare.
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export default async (taskId, { log, seconds, onlyOn }) => {
  const vm = process.env.CLOUD_TASKS_LOCAL_VM_ID
  if (log !== undefined) appendFileSync(log, `${taskId} ${vm}\n`)
  if (seconds !== undefined && (onlyOn === undefined || onlyOn === vm)) await sleep(seconds * 1000)
  return null
}
