// A job database as a finished job leaves it: results, three kinds of failures, task times over four decades, 200 VMs.
import { taskId, vmId } from '../../../core/ids.ts'
import { eventTimestamp, renderEvent } from '../../../core/task-event.ts'
import { openJobDb } from '../../../manager/job-db.ts'
import { taskName } from '../task-file.ts'

const BATCH = 10_000
const VMS = 200
const HOUR_MS = 3_600_000

const [file = '', countText = '0'] = process.argv.slice(2)
const count = Number(countText)
const endMs = Date.now()
const beginMs = endMs - HOUR_MS
const db = openJobDb(file, { mode: 'create' })
db.saveJob({ jobId: 'bench', provider: 'local', taskFile: 'tasks.json', loadState: 'loaded' })
for (const indexes of batches()) {
  db.insertPending(indexes.map(index => ({ taskId: taskId(taskName(index)), data: { a: index, b: 2 * index } })))
}
for (const batch of db.pendingBatches({ maxCount: BATCH })) db.markQueued(batch, new Date(beginMs))
const vms = Array.from({ length: VMS }, (_, number) => ({
  id: vmOf(number),
  jobId: 'bench',
  state: 'terminated' as const,
  instanceType: 'local-2',
  zone: `local-${'abc'[number % 3]}`,
  spot: true,
  vcpuCount: 2,
  priceUsdPerHour: 0.05,
  launchedAt: new Date(beginMs + number * 1000),
  endedAt: new Date(endMs - number * 1000),
  endReason: number % 7 === 0 ? 'preempted' : 'terminated',
}))
db.saveVms(vms, new Date(endMs), { slotsOf: () => 2 })
for (const indexes of batches()) db.applyEvents(indexes.map(eventOf), new Date(endMs))
db.close()

function* batches(): Generator<number[]> {
  for (let from = 0; from < count; from += BATCH) {
    yield Array.from({ length: Math.min(BATCH, count - from) }, (_, offset) => from + offset)
  }
}

function eventOf(index: number): string {
  const outcomes = [
    { kind: 'exception', exception: `Traceback (most recent call last):\nValueError: bad value ${index}` },
    { kind: 'exited', exitCode: (index % 3) + 1 },
    { kind: 'timed_out' },
  ] as const
  return renderEvent({
    kind: 'attempt',
    timestamp: eventTimestamp(Math.round(beginMs + (index / count) * HOUR_MS)),
    hostname: `host-${index % VMS}`,
    instanceId: vmOf(index % VMS),
    eventId: `bench-${index}`,
    taskId: taskId(taskName(index)),
    attempt: 1,
    retry: false,
    elapsedSeconds: 0.001 * Math.exp(((index * 7919) % 10_000) / 1000),
    outcome: outcomes[index % 100] ?? { kind: 'completed', retry: false, result: index },
  })
}

function vmOf(number: number) {
  return vmId(`rmscr-bench-${String(number).padStart(25, '0')}`)
}
