// Starts a real agent on the loaded queue and watches its events arrive in the events queue. Answers its rate.
import { setTimeout as sleep } from 'node:timers/promises'
import { eventQueueName } from '../../../core/names.ts'
import { startAgent } from '../agent-process.ts'
import { JOB_ID, LEASE_SECONDS, openLocalCloud } from '../place.ts'

const POLL_MS = 10

const [folder = '', countText = '0', task = 'trivial.mjs'] = process.argv.slice(2)
const count = Number(countText)
const provider = await openLocalCloud(folder)
const events = provider.openQueue(eventQueueName(JOB_ID), { leaseSeconds: LEASE_SECONDS })
await using agent = startAgent({ folder, task })
// From the first events to the last, so that the start of three processes does not count.
const first = await eventCount(1)
const last = await eventCount(count)
const perSecond = (last.depth - first.depth) / ((last.at - first.at) / 1000)
await agent.stop()
await provider.close()
process.stdout.write(`${JSON.stringify({ perSecond, seconds: (last.at - first.at) / 1000 })}\n`)

async function eventCount(atLeast: number): Promise<{ depth: number; at: number }> {
  for (;;) {
    const depth = (await events.admin.depth())?.ready ?? 0
    if (depth >= atLeast) return { depth, at: performance.now() }
    if (!agent.running()) throw new Error(`The agent ended with ${depth} of ${atLeast} events: ${agent.log()}`)
    await sleep(POLL_MS)
  }
}
