// Requests to SQS for each task, which is what SQS charges for: a real agent against an emulator, through a proxy that counts
// and adds the latency of a region nearby.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { systemClock } from '../../core/clock.ts'
import { openProvider, type ProviderSettings } from '../../infra/open-provider.ts'
import type { OutgoingMessage, Queue } from '../../infra/provider.ts'
import { startFaultProxy } from '../../test/support/fault-proxy.ts'
import { emulatorSettings, startSqsServer } from '../../test/support/sqs-server.ts'
import { ROOT } from './compiled.ts'
import type { Context } from './context.ts'
import { JOB_ID, LEASE_SECONDS } from './place.ts'
import type { Row } from './row.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

const MOST_REQUESTS = 0.35 // a task: 0.1 each to receive it, send its event and delete it, and some that are not full
const LATENCY_MS = 15
const MOST_TASKS = 10_000
const TIMED_TASKS = 1_000 // long enough for the first, small requests not to count
const TASKS_SHARE = 20 // of the tasks that the local agent is measured with
const LOOK_MS = 100
const GIVE_UP_MS = 300_000

export async function measureSqsRequests({ sizes, say }: Context): Promise<readonly Row[]> {
  const most = Math.min(MOST_TASKS, Math.ceil(sizes.tasks / TASKS_SHARE))
  const rows: Row[] = []
  for (const { what, ...load } of [
    { what: 'trivial tasks', task: 'trivial.mjs', slotCount: 2, tasks: most },
    { what: 'tasks of 0.1 s in 8 slots', task: 'hold.mjs', slotCount: 8, tasks: TIMED_TASKS },
  ]) {
    say(`requests to SQS: ${what}`)
    rows.push({
      what: `SQS requests a task, ${load.tasks.toLocaleString('en-US')} ${what}`,
      unit: 'requests',
      ours: await requestsPerTask(load),
      target: { below: MOST_REQUESTS },
    })
  }
  return rows
}

interface Load {
  /** A file of the `tasks` folder. */
  readonly task: string
  readonly slotCount: number
  readonly tasks: number
}

async function requestsPerTask(load: Load): Promise<number> {
  const server = await startSqsServer()
  const proxy = await startFaultProxy({ upstream: server.url, latencyMs: LATENCY_MS })
  const provider = await openProvider('aws', emulatorSettings(server.url))
  try {
    const queue = provider.openQueue(JOB_ID, { leaseSeconds: LEASE_SECONDS })
    await queue.send(Array.from({ length: load.tasks }, (_, index) => message(index)))
    await runAgent(load, emulatorSettings(proxy.url), queue)
    return [...proxy.counts.values()].reduce((sum, count) => sum + count, 0) / load.tasks
  } finally {
    await provider.close()
    await proxy.close()
    await server.close()
  }
}

/** Until the queue is empty: the agent deletes a task after it has sent its event. */
async function runAgent({ task, slotCount }: Load, { region, env }: ProviderSettings, queue: Queue): Promise<void> {
  await using folder = await openTemporaryFolder()
  const flags = ['--provider', 'aws', '--job-id', JOB_ID, '--visibility-timeout', String(LEASE_SECONDS)]
  const file = join(import.meta.dirname, 'tasks', task)
  const words = [...flags, '--num-simultaneous-tasks', String(slotCount), file]
  const agent = spawn(process.execPath, [join(ROOT, 'agent', 'main.ts'), ...words], {
    cwd: folder.path,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env, AWS_REGION: region },
  })
  let log = ''
  agent.stderr.on('data', chunk => {
    log = (log + chunk).slice(-2000)
  })
  const closed = once(agent, 'close')
  try {
    const giveUpMs = systemClock.now() + GIVE_UP_MS
    for (let left = 1; left > 0; ) {
      if (agent.exitCode !== null || systemClock.now() > giveUpMs) throw new Error(`The agent did not finish: ${log}`)
      await systemClock.sleep(LOOK_MS)
      const depth = await queue.admin.depth()
      left = depth === undefined ? 0 : depth.ready + depth.leased
    }
  } finally {
    agent.kill('SIGTERM')
    await closed
  }
}

function message(index: number): OutgoingMessage {
  const taskId = `task-${index}`
  return { body: JSON.stringify({ task_id: taskId, data: { seconds: 0.1 } }), taskId }
}
