// A job database as a dashboard may meet it: some hundreds of tasks, every status, VMs that came and went, and in every text
// that a task can bring along something that a careless page would run.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { taskId, vmId } from '../../core/ids.ts'
import type { Vm } from '../../infra/provider.ts'
import { type JobDb, openJobDb } from '../../manager/job-db.ts'

/** Sets `window.pwned` wherever it is taken for markup. */
export const SCRIPT = '<script>window.pwned=1</script>'
const IMAGE = '<img src=x onerror="window.pwned=2">'
export const SCRIPT_TASK = `${SCRIPT}/../"&'`

const TASKS = 300
const VMS = 6
const BEGIN_MS = Date.now() - 400_000

export interface TrickyJob {
  readonly file: string
  remove(): void
}

export function makeTrickyJob({ finished = false } = {}): TrickyJob {
  const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-page-'))
  const file = join(folder, 'tricky.db')
  const db = openJobDb(file, { mode: 'create' })
  db.saveJob({ jobId: 'tricky', provider: 'local', taskFile: 'tasks.json' })
  const ids = Array.from({ length: TASKS }, (_, index) => (index === 7 ? SCRIPT_TASK : `task-${index}`))
  db.insertPending(ids.map((id, index) => ({ taskId: taskId(id), data: { index, html: IMAGE } })))
  for (const batch of db.pendingBatches()) db.markQueued(batch, new Date(BEGIN_MS))
  db.applyEvents(
    ids.flatMap((id, index) => eventsOf(id, index, finished)),
    new Date(BEGIN_MS + 600_000),
  )
  addVms(db, finished)
  db.close()
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** One in ten fails, one in a hundred was interrupted before, and of an unfinished job the last third is still to come. */
function eventsOf(id: string, index: number, finished: boolean): string[] {
  const open = !finished && index >= (TASKS * 2) / 3
  if (open && index % 15 !== 0) return []
  const at = BEGIN_MS + 30_000 + index * 1000
  const event = (attempt: number, afterMs: number, fields: object) =>
    JSON.stringify({
      timestamp: new Date(at + afterMs).toISOString().replace('Z', '000+00:00'),
      hostname: 'host',
      task_id: id,
      attempt,
      instance_id: `vm-${index % VMS}`,
      elapsed_time: 0.2 + (index % 40) / 10,
      cpu_seconds: 0.1,
      max_rss_bytes: 50e6,
      ...fields,
    })
  const interrupted = event(1, 0, { event_type: 'task_interrupted', retry: true, reason: 'preempted' })
  const before = index % 100 === 50 ? [interrupted] : []
  const last = before.length + 1
  if (index % 10 !== 0 && index !== 7) {
    return [...before, event(last, 500, { event_type: 'task_completed', retry: false, result: { html: IMAGE, index } })]
  }
  const exception = `Traceback (most recent call last):\n  File "x.py", line ${index}\nValueError: ${SCRIPT} ${IMAGE}`
  const failed = { event_type: 'task_exception', exception, log_tail: `reading\n${SCRIPT}` }
  if (index % 20 === 0) return [...before, event(last, 500, { event_type: 'task_timed_out', retry: open })]
  return [...before, event(last, 500, { ...failed, retry: open })]
}

function addVms(db: JobDb, finished: boolean): void {
  const vms = Array.from({ length: VMS }, (_, index): Vm => {
    const launchedAt = new Date(BEGIN_MS + index * 5000)
    const preempted = index === 1
    const ended = finished || preempted
    return {
      id: vmId(`vm-${index}`),
      jobId: 'tricky',
      state: ended ? 'terminated' : 'running',
      instanceType: 'local-2',
      zone: `local-${'ab'[index % 2]}`,
      spot: index !== 2,
      vcpuCount: 2,
      priceUsdPerHour: 0.36,
      launchedAt,
      ...(ended ? { endedAt: new Date(BEGIN_MS + 340_000), endReason: preempted ? 'preempted' : 'terminated' } : {}),
    }
  })
  db.saveVms(vms, new Date(BEGIN_MS + 340_000))
}
