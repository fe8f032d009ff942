// One job of Pub/Sub, 1,000 tasks, run by workers of the Python system and by our agent at once; loaded by one system and
// collected by the other.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { until } from '../../support/processes.ts'
import { type SharedJob, withPeer } from '../../support/python-peer.ts'
import { COLLECT, checkJob, ended, LOAD, openInteropJob, SLOTS } from './interop-job.ts'
import { checkEvents } from './interop-outcomes.ts'

const TASKS = { sumCount: 1000, seconds: 0.03 }
const LIMITS = { timeout: 280_000 }

withPeer(() => {
  describe('a mixed fleet with rms-cloud-tasks on Pub/Sub', () => {
    it('runs our job, and the Python monitor collects into our database', LIMITS, async t => {
      const job = await openInteropJob(t, TASKS)
      ended(await job.ours(...LOAD))
      await runByBoth(job, async () => ended(await job.theirs(...COLLECT)))
      await checkJob(job, TASKS, 'theirs')
    })

    it('runs a job of the Python system, and we collect into its database', LIMITS, async t => {
      const job = await openInteropJob(t, TASKS)
      ended(await job.theirs(...LOAD))
      await runByBoth(job, async () => ended(await job.ours(...COLLECT)))
      await checkJob(job, TASKS, 'ours')
    })
  })
})

/** The agent is so much faster that the Python system begins alone, and the agent has one slot: both have tasks to the end. */
async function runByBoth(job: SharedJob, collect: () => Promise<void>): Promise<void> {
  const worker = job.startWorker(...SLOTS)
  const begun = () => worker.output().includes(' reported task ')
  await until('a task run by the Python system', begun, { withinMs: 120_000 })
  const agent = job.startAgent('--num-simultaneous-tasks', '1')
  await collect()
  for (const program of await job.stop([worker, agent])) ended(program)
  const { ours, theirs } = checkEvents(job.file('job.db'))
  assert.ok(ours >= 10 && theirs >= 10, `${ours} events are ours, ${theirs} theirs`)
}
