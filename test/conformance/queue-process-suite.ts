// The part of the queue suite that needs several processes, and their sudden death.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Queue } from '../../infra/provider.ts'
import { LONG_LEASE_SECONDS, openFreshQueue } from './fresh-queue.ts'
import type { QueueSubject } from './queue-suite.ts'

const PROGRAM = fileURLToPath(new URL('./queue-process.ts', import.meta.url))
const CONSUMER_COUNT = 3
const MESSAGE_COUNT = 600

export function queueProcessSuite(subjectOf: () => QueueSubject): void {
  it('hands every message to exactly one of several processes', async () => {
    const queue = await openFreshQueue(subjectOf())
    await queue.send(numbered(MESSAGE_COUNT))
    const consumers = Array.from({ length: CONSUMER_COUNT }, () => start(subjectOf(), queue, 'consume'))
    await Promise.all(consumers.map(consumer => consumer.ended))
    const acked = consumers.flatMap(consumer => consumer.bodies('acked'))
    assert.equal(acked.length, MESSAGE_COUNT)
    assert.equal(new Set(acked).size, MESSAGE_COUNT)
  })

  it('loses nothing that a killed consumer held, and repeats nothing that it acked', async () => {
    const { leaseSeconds, slackSeconds } = subjectOf()
    const queue = await openFreshQueue(subjectOf(), leaseSeconds)
    await queue.send(numbered(MESSAGE_COUNT))
    const consumer = start(subjectOf(), queue, 'consume', leaseSeconds)
    await consumer.line(line => line.startsWith('acked') && consumer.bodies('acked').length >= MESSAGE_COUNT / 4)
    await consumer.kill()
    const acked = new Set(consumer.bodies('acked'))
    const maybeAcked = new Set(consumer.bodies('holding'))
    const rest = new Set<string>()
    for (;;) {
      // What it held comes back one lease after it died.
      const waitSeconds = leaseSeconds + slackSeconds + 1
      const deliveries = await queue.receive({ maxMessages: MESSAGE_COUNT, waitSeconds })
      if (deliveries.length === 0) break
      for (const { body } of deliveries) rest.add(body)
      await queue.ack(deliveries.map(({ receipt }) => receipt))
    }
    const repeated = [...rest].filter(body => acked.has(body))
    assert.deepEqual(repeated, [])
    // Killed between an ack and its line: the only ones that may be in neither list.
    for (const { body } of numbered(MESSAGE_COUNT)) assert.ok(rest.has(body) || maybeAcked.has(body), `${body} is lost`)
  })

  it('keeps what a killed producer had sent, once', async () => {
    const queue = await openFreshQueue(subjectOf())
    const producer = start(subjectOf(), queue, 'produce')
    await producer.line(line => line.startsWith('sent'))
    await producer.line(line => line.startsWith('sent'))
    await producer.kill()
    const sentCount = Number(producer.lines.at(-1)?.split(' ')[1])
    const bodies: string[] = []
    for (;;) {
      const deliveries = await queue.receive({ maxMessages: 10_000, waitSeconds: 0.5 })
      if (deliveries.length === 0) break
      bodies.push(...deliveries.map(({ body }) => body))
    }
    assert.equal(new Set(bodies).size, bodies.length)
    const arrived = new Set(bodies)
    for (let index = 0; index < sentCount; index++) assert.ok(arrived.has(`m${index}`), `m${index} is lost`)
  })
}

function numbered(count: number): { body: string }[] {
  return Array.from({ length: count }, (_, index) => ({ body: `m${index}` }))
}

interface Companion {
  readonly lines: readonly string[]
  readonly ended: Promise<unknown>
  /** Waits for a further line that fits. */
  line(fits: (line: string) => boolean): Promise<void>
  bodies(word: 'holding' | 'acked'): readonly string[]
  kill(): Promise<void>
}

function start(
  subject: QueueSubject,
  queue: Queue,
  role: 'produce' | 'consume',
  leaseSeconds = LONG_LEASE_SECONDS,
): Companion {
  const order = {
    provider: subject.provider.name,
    settings: subject.settings,
    queue: queue.name,
    leaseSeconds: Math.min(leaseSeconds, subject.provider.limits.maxLeaseSeconds),
    role,
    batch: 10,
    prefix: 'm',
  }
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  assert.ok(child.stdout !== null)
  const lines: string[] = []
  const reader = createInterface({ input: child.stdout })
  reader.on('line', line => lines.push(line))
  const ended = Promise.all([once(child, 'exit'), once(reader, 'close')])
  return {
    lines,
    ended,
    line: fits =>
      new Promise((resolve, reject) => {
        const look = (line: string) => {
          if (!fits(line)) return
          reader.off('line', look)
          resolve()
        }
        reader.on('line', look)
        reader.once('close', () => reject(new Error(`The process to ${role} ended early; last line: ${lines.at(-1)}`)))
      }),
    bodies: word => lines.filter(line => line.startsWith(`${word} `)).flatMap(line => line.split(' ').slice(1)),
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
