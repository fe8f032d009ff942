// What it costs to be there: the start of the CLI, and the memory of an agent that waits for work.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventQueueName } from '../../core/names.ts'
import { startAgent } from './agent-process.ts'
import { compile, ROOT } from './compiled.ts'
import type { Context } from './context.ts'
import { until } from './local-vms.ts'
import { alternate } from './measure.ts'
import { JOB_ID, LEASE_SECONDS, openLocalCloud } from './place.ts'
import { type ProcessMemory, readTreeMemory } from './process-memory.ts'
import { runProgram } from './program.ts'
import type { Row } from './row.ts'
import { taskName } from './task-file.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

const WARM_TASKS = 1000
const SETTLE_MS = 2000
const TIMEOUT_MS = 60_000
const START_TARGET_MS = 150
const IDLE_TARGET_MB = 150
const AGENT_PROCESSES = 3 // the agent and a process a slot; the fourth is a shell of 2 MB

export async function measureStart({ sizes, say }: Context): Promise<readonly Row[]> {
  say('the start of the CLI')
  await using compiled = await compile()
  const medians = await alternate(
    {
      compiled: () => startMs([join(compiled.path, 'manager', 'main.js'), '--help']),
      source: () => startMs([join(ROOT, 'manager', 'main.ts'), '--help']),
      empty: () => startMs(['--eval', '0']),
    },
    { repeats: sizes.starts },
  )
  const limit = { name: 'empty Node program', value: medians.empty }
  return [
    {
      what: 'CLI start, --help, as published',
      unit: 'ms',
      ours: medians.compiled,
      limit,
      target: { below: START_TARGET_MS },
    },
    { what: 'CLI start, --help, from TypeScript', unit: 'ms', ours: medians.source, limit },
  ]
}

export async function measureIdleAgent({ say }: Context): Promise<readonly Row[]> {
  say('an idle agent')
  await using compiled = await compile()
  const memory = await idleAgentMemory(join(compiled.path, 'agent', 'main.js'))
  const empty = await emptyProcessMemory()
  if (memory === undefined || empty === undefined) {
    return [{ what: 'agent RSS, idle, 2 slots', unit: 'MB', ours: undefined, note: 'needs /proc' }]
  }
  const name = `${AGENT_PROCESSES} empty Node programs`
  return [
    {
      what: 'agent RSS, idle, 2 slots, sum of its processes',
      unit: 'MB',
      ours: memory.rssMb,
      limit: { name, value: AGENT_PROCESSES * empty.rssMb },
    },
    {
      // What ending it would give back. The sum counts Node's own program three times.
      what: 'the same with shared pages counted once (PSS)',
      unit: 'MB',
      ours: memory.pssMb,
      target: { below: IDLE_TARGET_MB },
    },
  ]
}

async function startMs(args: readonly string[]): Promise<number> {
  const startedAt = performance.now()
  await runProgram([process.execPath, ...args], { timeoutMs: TIMEOUT_MS })
  return performance.now() - startedAt
}

async function idleAgentMemory(main: string): Promise<ProcessMemory | undefined> {
  await using folder = await openTemporaryFolder()
  const provider = await openLocalCloud(folder.path)
  const queue = provider.openQueue(JOB_ID, { leaseSeconds: LEASE_SECONDS })
  const events = provider.openQueue(eventQueueName(JOB_ID), { leaseSeconds: LEASE_SECONDS })
  const bodies = Array.from({ length: WARM_TASKS }, (_, index) =>
    JSON.stringify({ task_id: taskName(index), data: {} }),
  )
  await queue.send(bodies.map(body => ({ body })))
  await using agent = startAgent({ folder: folder.path, task: 'trivial.mjs', main })
  await until('the agent has run its first tasks', async () => {
    return ((await events.admin.depth())?.ready ?? 0) >= WARM_TASKS
  })
  await sleep(SETTLE_MS)
  const memory = await readTreeMemory(agent.pid)
  await provider.close()
  return memory
}

async function emptyProcessMemory(): Promise<ProcessMemory | undefined> {
  const child = spawn(process.execPath, ['--eval', 'console.log(1); setInterval(() => {}, 1000)'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'data')
  await sleep(SETTLE_MS)
  const memory = child.pid === undefined ? undefined : await readTreeMemory(child.pid)
  child.kill()
  await once(child, 'close')
  return memory
}
