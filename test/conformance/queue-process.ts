// A program for the queue suite: one producer or consumer in a process of its own, to be killed at any moment.
//   node queue-process.ts '{"provider":…,"settings":…,"queue":…,"leaseSeconds":…,"role":…,"batch":…,"prefix":…}'
// produce: sends batches without end, prints `sent N` after each. consume: prints `holding ID…`, acks, prints `acked ID…`,
// until the queue has stayed empty.
import { writeSync } from 'node:fs'
import { z } from 'zod'
import { openProvider } from '../../infra/open-provider.ts'
import { PROVIDER_NAMES } from '../../infra/provider.ts'

const STDOUT = 1
const EMPTY_SECONDS = 0.5
const EMPTY_LOOKS = 3 // one may have come back empty through a bad network

const order = z
  .object({
    provider: z.enum(PROVIDER_NAMES),
    settings: z.looseObject({ env: z.record(z.string(), z.string()) }),
    queue: z.string(),
    leaseSeconds: z.number(),
    role: z.enum(['produce', 'consume']),
    batch: z.int(),
    prefix: z.string(),
  })
  .parse(JSON.parse(process.argv[2] ?? ''))

const provider = await openProvider(order.provider, order.settings)
const queue = provider.openQueue(order.queue, { leaseSeconds: order.leaseSeconds })
if (order.role === 'produce') await produce()
else await consume()
await provider.close()

async function produce(): Promise<void> {
  for (let next = 0; ; next += order.batch) {
    await queue.send(Array.from({ length: order.batch }, (_, index) => ({ body: `${order.prefix}${next + index}` })))
    say(`sent ${next + order.batch}`)
  }
}

async function consume(): Promise<void> {
  say('ready')
  for (let emptyCount = 0; emptyCount < EMPTY_LOOKS; ) {
    const deliveries = await queue.receive({ maxMessages: order.batch, waitSeconds: EMPTY_SECONDS })
    emptyCount = deliveries.length === 0 ? emptyCount + 1 : 0
    if (deliveries.length === 0) continue
    const bodies = deliveries.map(({ body }) => body).join(' ')
    say(`holding ${bodies}`)
    const { lost } = await queue.ack(deliveries.map(({ receipt }) => receipt))
    say(lost.length === 0 ? `acked ${bodies}` : `lost ${lost.length}`)
  }
}

/** At once, whole: a line that was printed before a kill has to arrive. */
function say(line: string): void {
  writeSync(STDOUT, `${line}\n`)
}
