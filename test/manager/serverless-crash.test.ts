// A look of the serverless manager is killed at every point at which the world has changed, once in a run of its own for each,
// and followed by others: whatever the point, as many VMs have been started in the end, and their cost is counted once.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { eventQueueName } from '../../core/names.ts'
import { readServerlessState } from '../../manager/serverless/orders.ts'
import type { TickSummary } from '../../manager/serverless/tick.ts'
import { JobFolder } from '../support/job-folder.ts'
import { until } from '../support/processes.ts'
import { costOf, drained, openServerlessJob, registeredVms, type ServerlessJob } from '../support/serverless-job.ts'

const LOOKS_ONCE = fileURLToPath(new URL('../fixtures/looks-once.ts', import.meta.url))
const PRELOAD = new URL('../support/crash-at.ts', import.meta.url).href
const TASK_COUNT = 6
const USD_PER_HOUR = 36
const AT_ONCE = 3 // they mostly wait
const MOST_LOOKS = 80
/** Every n-th point, from a random one on, so that many runs try them all; CRASH_STRIDE=1 tries all in one, in minutes. */
const STRIDE = Number(process.env.CRASH_STRIDE ?? 8)
const FIRST = Number(process.env.CRASH_FIRST ?? 1 + Math.floor(Math.random() * STRIDE))

describe('a look killed at any point', { concurrency: false }, () => {
  it('is followed by looks that end the job as if nothing had been', {
    timeout: STRIDE === 1 ? 1_200_000 : 200_000,
  }, async t => {
    const undisturbed = await runOnce(undefined)
    const points = undisturbed.points.length
    assert.deepEqual(undisturbed.state, RIGHT)
    const todo: number[] = []
    for (let at = FIRST; at <= points; at += STRIDE) todo.push(at)
    t.diagnostic(`${points} crash points, ${todo.length} of them tried, from the ${FIRST}th on`)
    const wrong: string[] = []
    const worker = async () => {
      for (let at = todo.shift(); at !== undefined; at = todo.shift()) {
        try {
          const { state } = await runOnce(at)
          assert.deepEqual(state, RIGHT)
        } catch (error) {
          wrong.push(`point ${at} (${undisturbed.points[at - 1]}): ${error}`) // the others shall be tried all the same
        }
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    assert.deepEqual(wrong, [])
  })
})

const RIGHT = { vmsInAll: 2, vmsAlive: 0, completed: TASK_COUNT, costDifference: '0.000000', launchesLeft: 0 }

async function runOnce(crashAt: number | undefined) {
  const folder = new JobFolder({
    jobId: 'crash',
    taskModule: `export default async () => {
      await new Promise(resolve => setTimeout(resolve, 900))
    }`,
    run: ['lease_seconds: 5', 'idle_shutdown: 60', 'max_total_price_per_hour: 1000', 'max_total_cost: 100'],
    local: ['vcpus_per_vm: 1', `price_per_hour: ${USD_PER_HOUR}`],
  })
  const log = folder.file('points')
  const job = await openServerlessJob(folder.path)
  try {
    await load(job)
    await lookUntilDrained(folder, log, crashAt)
    await until('no process is left', () => folder.processes().length === 0)
    return { state: await stateOf(folder, job), points: readFileSync(log, 'utf8').trim().split('\n') }
  } finally {
    await job.close()
    await folder.remove()
  }
}

async function load({ provider, job }: ServerlessJob): Promise<void> {
  const open = (name: string) => provider.openQueue(name, { leaseSeconds: 5 })
  await open(eventQueueName(job.queueName)).admin.ensure()
  const tasks = open(job.queueName)
  await tasks.admin.ensure()
  await tasks.send(Array.from({ length: TASK_COUNT }, (_, index) => ({ body: `{"task_id":"t${index}","data":{}}` })))
}

async function lookUntilDrained(folder: JobFolder, log: string, crashAt: number | undefined): Promise<void> {
  let killed = false
  for (let look = 0; look < MOST_LOOKS; look++) {
    const passed = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').length : 0
    const left = crashAt === undefined || killed ? undefined : crashAt - passed
    const summary = await lookOnce(folder, {
      CRASH_LOG: log,
      ...(left !== undefined && left > 0 && { CRASH_AT: String(left) }),
    })
    killed ||= summary === undefined
    if (summary !== undefined && drained(summary)) return
    await sleep(100)
  }
  throw new Error(`the job is not drained after ${MOST_LOOKS} looks`)
}

/** undefined = it was killed. */
async function lookOnce(folder: JobFolder, env: Readonly<Record<string, string>>): Promise<TickSummary | undefined> {
  const child = spawn(process.execPath, ['--import', PRELOAD, LOOKS_ONCE, folder.path], {
    cwd: folder.path,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...env },
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [exitCode] = await once(child, 'close')
  assert.ok(exitCode === 0 || exitCode === null, stderr)
  return exitCode === null ? undefined : JSON.parse(stdout)
}

async function stateOf(folder: JobFolder, { provider, job }: ServerlessJob): Promise<typeof RIGHT> {
  const vms = registeredVms(folder)
  const state = await readServerlessState(provider, job.jobId, new Date())
  const events = provider.openQueue(eventQueueName(job.queueName), { leaseSeconds: 5 })
  const completed = new Set<string>()
  for (const { body } of await events.receive({ maxMessages: 1000, waitSeconds: 0 })) {
    const event = JSON.parse(body)
    if (event.event_type === 'task_completed') completed.add(event.task_id)
  }
  return {
    vmsInAll: vms.length,
    vmsAlive: vms.filter(vm => vm.endedMs === undefined).length,
    completed: completed.size,
    costDifference: Math.abs((state?.spentUsd ?? -1) - costOf(vms, USD_PER_HOUR)).toFixed(6),
    launchesLeft: state?.unansweredCount ?? -1,
  }
}
