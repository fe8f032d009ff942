// kill -9 of anything, at seeded random moments of a running job: `run --continue` must end with every task completed once.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { JobFolder, type RunningCli } from '../support/job-folder.ts'
import { killAll, until } from '../support/processes.ts'

const SEED = Number(process.env.KILL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const TASK_COUNT = 3000
const STRIKES = 3
const RUN = ['run', '--config', 'job.yml', '--task-file', 'tasks.json', '--force'] as const
const CONTINUE = ['run', '--config', 'job.yml', '--task-file', 'tasks.json', '--continue'] as const

/** What to kill: text in the command line of its processes, and how many of them go at once. */
const VICTIMS = [
  { name: 'the manager', match: 'manager/main', all: true },
  { name: 'an agent', match: 'agent/main', all: false },
  { name: 'a task process', match: 'agent/runner', all: false },
  { name: 'the supervisor of a VM', match: 'vm-host', all: false },
  { name: 'every process of the job', match: '', all: true },
] as const

describe(`kill -9 at random moments (replay with KILL_SEED=${SEED})`, { concurrency: false }, () => {
  for (const [index, victim] of VICTIMS.entries()) {
    it(`of ${victim.name} loses no task and repeats none in the database`, { timeout: 120_000 }, async () => {
      const random = seededRandom(SEED + index)
      const job = new JobFolder({
        jobId: 'kill',
        taskCount: TASK_COUNT,
        run: ['lease_seconds: 2', 'retry_on_exit: true', 'idle_shutdown: 20'],
        local: ['vcpus_per_vm: 2', 'boot_seconds: 0'],
      })
      try {
        let manager: RunningCli = job.start(...RUN)
        let managerEnded = false
        const watch = (cli: RunningCli) => {
          managerEnded = false
          void cli.ended.then(() => {
            if (cli === manager) managerEnded = true
          })
        }
        watch(manager)
        for (let strike = 1; strike <= STRIKES; strike++) {
          const goal = Math.floor(((strike - random() * 0.8) / (STRIKES + 1)) * TASK_COUNT)
          await until(`${goal} tasks done`, () => managerEnded || job.count("status = 'completed'") >= goal, {
            withinMs: 60_000,
          })
          const found = job.processes(victim.match)
          const killed = victim.all ? found : found.slice(0, 1)
          killAll(killed)
          if (killed.includes(manager.child.pid ?? -1)) {
            await manager.ended
            manager = job.start(...CONTINUE)
            watch(manager)
          }
        }
        const { exitCode, stdout, stderr } = await manager.ended
        assert.equal(exitCode, 0, `${stdout}\n${stderr}`)
        assert.equal(job.count("status = 'completed'"), TASK_COUNT)
        const wrong = job.count("result != json_extract(task_data, '$.a') + json_extract(task_data, '$.b')")
        assert.equal(wrong, 0, 'every result is the right sum')
        const doubled = job.query(
          `SELECT event_id FROM events WHERE event_id IS NOT NULL GROUP BY event_id HAVING count(*) > 1`,
        )
        assert.equal(doubled.length, 0, 'no event is stored twice')
        await until('all VMs gone', () => job.processes().length === 0)
      } finally {
        await job.remove()
      }
    })
  }
})

/** mulberry32: small, and the same on every machine. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
