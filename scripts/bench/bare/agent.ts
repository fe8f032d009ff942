// An agent without safety: no leases, no limits, no retries. Queue → two task processes over pipes → events queue.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { BATCH, inTransaction, openEvents, openQueues } from './database.ts'

const [folder = ''] = process.argv.slice(2)
const queues = openQueues(folder)
const events = openEvents(folder)
const receive = queues.prepare('SELECT id, body FROM tasks WHERE id > ? ORDER BY id LIMIT ?')
const acknowledge = queues.prepare('DELETE FROM tasks WHERE id BETWEEN ? AND ?')
const report = events.prepare('INSERT INTO events (body) VALUES (?)')

let lastId = 0
let count = 0
let startedAt = 0
await Promise.all([drain(openTaskProcess()), drain(openTaskProcess())])
const seconds = (performance.now() - startedAt) / 1000
queues.close()
events.close()
process.stdout.write(`${JSON.stringify({ perSecond: count / seconds, seconds })}\n`)

async function drain(child: ChildProcessByStdio<Writable, Readable, null>): Promise<void> {
  child.stdin.write('{"task_id":"warm-up"}\n')
  await once(child.stdout, 'data')
  startedAt ||= performance.now()
  child.stdout.setEncoding('utf8')
  // Two batches in flight, so that the process never waits for its parent.
  const inFlight = [next(child), next(child)]
  let answers: string[] = []
  let rest = ''
  for await (const chunk of child.stdout) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    answers.push(...lines)
    let batch = inFlight[0]
    for (; batch !== undefined && answers.length >= batch.size; batch = inFlight[0]) {
      settle(batch, answers.slice(0, batch.size))
      answers = answers.slice(batch.size)
      inFlight.shift()
      inFlight.push(next(child))
    }
    if (batch === undefined) break
  }
  child.stdin.end()
}

interface Batch {
  readonly size: number
  readonly firstId: number
  readonly lastId: number
}

function next(child: ChildProcessByStdio<Writable, Readable, null>): Batch | undefined {
  const rows = receive.all(lastId, BATCH) as unknown as readonly { id: number; body: string }[]
  const firstId = rows[0]?.id
  if (firstId === undefined) return undefined
  lastId = rows.at(-1)?.id ?? lastId
  let text = ''
  for (const row of rows) text += `${row.body}\n`
  child.stdin.write(text)
  return { size: rows.length, firstId, lastId }
}

function settle(batch: Batch, answers: readonly string[]): void {
  const head = `{"timestamp":"${new Date().toISOString()}","hostname":"bench","event_type":"task_completed",`
  inTransaction(events, () => {
    for (const answer of answers) report.run(`${head}${answer.slice(1)}`)
  })
  inTransaction(queues, () => {
    acknowledge.run(batch.firstId, batch.lastId)
  })
  count += batch.size
}

function openTaskProcess(): ChildProcessByStdio<Writable, Readable, null> {
  return spawn(process.execPath, [new URL('echo.mjs', import.meta.url).pathname], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}
