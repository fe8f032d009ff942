// The manager is killed at every point at which the world has changed, once in a run of its own for each, and run again:
// whatever the point, the job ends in the same state. The points are counted by test/support/crash-at.ts.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { JobFolder } from '../support/job-folder.ts'
import { until } from '../support/processes.ts'

const CLI = fileURLToPath(new URL('../../manager/main.ts', import.meta.url))
const PRELOAD = new URL('../support/crash-at.ts', import.meta.url).href
const FRESH = ['run', '--config', 'job.yml', '--task-file', 'tasks.json', '--force', '--quiet'] as const
const AGAIN = ['run', '--config', 'job.yml', '--task-file', 'tasks.json', '--continue', '--quiet'] as const
const TASK_COUNT = 6
const AT_ONCE = 4 // they mostly wait
/** Every n-th point, from a random one on, so that many runs try them all; CRASH_STRIDE=1 tries all in one, in minutes. */
const STRIDE = Number(process.env.CRASH_STRIDE ?? 8)
const FIRST = Number(process.env.CRASH_FIRST ?? 1 + Math.floor(Math.random() * STRIDE))

describe('a manager killed at any point', { concurrency: false }, () => {
  it('is followed by one that ends the job as if nothing had been', {
    timeout: STRIDE === 1 ? 1_200_000 : 280_000,
  }, async t => {
    const undisturbed = await runOnce(undefined)
    const points = undisturbed.points.length
    assert.ok(points > 20, `only ${points} points were found`)
    const todo: number[] = []
    for (let at = FIRST; at <= points; at += STRIDE) todo.push(at)
    t.diagnostic(`${points} crash points, ${todo.length} of them tried, from the ${FIRST}th on`)
    const wrong: string[] = []
    const worker = async () => {
      for (let at = todo.shift(); at !== undefined; at = todo.shift()) {
        try {
          const { state, points: passed } = await runOnce(at)
          assert.deepEqual(state, undisturbed.state, `killed at point ${at} (${passed[at - 1]})`)
        } catch (error) {
          wrong.push(`point ${at} (${undisturbed.points[at - 1]}): ${error}`) // the others shall be tried all the same
        }
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    assert.deepEqual(wrong, [])
  })
})

/** What must be the same, whatever happened on the way. */
function stateOf(job: JobFolder, exitCode: number | null) {
  const instances = new Set(job.query('SELECT id FROM instances').map(row => row.id))
  const registry = new DatabaseSync(job.file('.cloud-tasks/vms.sqlite'), { readOnly: true })
  const vms = registry.prepare('SELECT id, ended_ms FROM vms').all()
  registry.close()
  return {
    exitCode,
    tasks: job
      .query('SELECT task_id, status, result FROM tasks ORDER BY task_id')
      .map(({ task_id: id, status, result }) => `${id} ${status} ${result}`),
    completedEvents: job.query("SELECT DISTINCT task_id FROM events WHERE event_type = 'task_completed'").length,
    unfinishedLaunches: job.query('SELECT token FROM launch_intents').length,
    leases: job.query('SELECT holder FROM manager_lease').length,
    untrackedVms: vms.filter(({ id }) => !instances.has(id)).length,
    vmsAlive: vms.filter(({ ended_ms: ended }) => ended === null).length,
    vmsAliveInDb: job.query("SELECT id FROM instances WHERE state <> 'terminated'").length,
    queueFiles: readdirSync(job.file('.cloud-tasks'))
      .filter(name => name.startsWith('queues'))
      .flatMap(name => filesIn(job, name)),
  }
}

function filesIn(job: JobFolder, name: string): string[] {
  return readdirSync(job.file(`.cloud-tasks/${name}`)).filter(file => file.endsWith('.sqlite'))
}

async function runOnce(crashAt: number | undefined) {
  const job = new JobFolder({
    jobId: 'crash',
    taskCount: TASK_COUNT,
    run: ['lease_seconds: 2', 'idle_shutdown: 20'],
    local: ['vcpus_per_vm: 1', 'price_per_hour: 0.1'],
  })
  const log = job.file('points')
  try {
    let exitCode = await manage(job, FRESH, {
      CRASH_LOG: log,
      ...(crashAt === undefined ? undefined : { CRASH_AT: String(crashAt) }),
    })
    // Where a person would look: is there a job to go on with?
    if (exitCode === null) exitCode = await manage(job, existsSync(job.dbFile) ? AGAIN : FRESH, {})
    await until('no process is left', () => job.processes().length === 0)
    return { state: stateOf(job, exitCode), points: readFileSync(log, 'utf8').trim().split('\n') }
  } finally {
    await job.remove()
  }
}

async function manage(
  job: JobFolder,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number | null> {
  const child = spawn(process.execPath, ['--import', PRELOAD, CLI, ...args], {
    cwd: job.path,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...env },
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [exitCode] = await once(child, 'close')
  assert.ok(exitCode === 0 || exitCode === null, stderr)
  return exitCode
}
