// Fills the events queue with what an agent would have sent: every task completed, in the order of the queue.
import { taskId, vmId } from '../../../core/ids.ts'
import { eventQueueName } from '../../../core/names.ts'
import { eventTimestamp, renderEvent } from '../../../core/task-event.ts'
import { JOB_ID, LEASE_SECONDS, openLocalCloud } from '../place.ts'
import { taskName } from '../task-file.ts'

const [folder = '', countText = '0'] = process.argv.slice(2)
const count = Number(countText)
const provider = await openLocalCloud(folder)
const queue = provider.openQueue(eventQueueName(JOB_ID), { leaseSeconds: LEASE_SECONDS })
for (let from = 0; from < count; from += 10_000) {
  const indexes = Array.from({ length: Math.min(10_000, count - from) }, (_, offset) => from + offset)
  await queue.send(indexes.map(index => ({ body: eventOf(index) })))
}
await provider.close()

function eventOf(index: number): string {
  return renderEvent({
    kind: 'attempt',
    timestamp: eventTimestamp(Date.now()),
    hostname: 'bench',
    instanceId: vmId('rmscr-bench-0000000000000000000000000'),
    eventId: `bench-${String(index).padStart(12, '0')}`,
    taskId: taskId(taskName(index)),
    attempt: 1,
    retry: false,
    elapsedSeconds: 0.000_01,
    outcome: { kind: 'completed', retry: false, result: null },
  })
}
