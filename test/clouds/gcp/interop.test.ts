// The Python system rms-cloud-tasks 0.5.0 and we on one job of Pub/Sub: its workers run what we loaded and collect, and our
// agents what it loaded and collects.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withPeer } from '../../support/python-peer.ts'
import { COLLECT, checkJob, ended, LOAD, openInteropJob, SLOTS } from './interop-job.ts'
import { checkEvents, expectedOutcomes } from './interop-outcomes.ts'

// Its workers start a Python for every task, one or two in a second. CLOUD_TASKS_INTEROP_TASKS=1000 gives them as many as ours.
const PYTHON_TASKS = { sumCount: Number(process.env.CLOUD_TASKS_INTEROP_TASKS || 60), seconds: 0 }
const TASKS = { sumCount: 1000, seconds: 0 }
const ATTEMPTS_MORE = 1 // the task `again` has two

withPeer(() => {
  describe('rms-cloud-tasks on Pub/Sub', () => {
    const timeout = 240_000 + PYTHON_TASKS.sumCount * 3_000
    it('its workers run our job, and we collect', { timeout }, async t => {
      const job = await openInteropJob(t, PYTHON_TASKS)
      ended(await job.ours(...LOAD))
      const workers = [job.startWorker(...SLOTS), job.startWorker(...SLOTS)]
      ended(await job.ours(...COLLECT))
      for (const worker of await job.stop(workers)) ended(worker)

      await checkJob(job, PYTHON_TASKS, 'ours')
      const { ours, theirs } = checkEvents(job.file('job.db'))
      assert.equal(ours, 0)
      assert.ok(theirs >= expectedOutcomes(PYTHON_TASKS).size + ATTEMPTS_MORE)
    })

    it('our agents run its job, and its monitor collects', { timeout: 240_000 }, async t => {
      const job = await openInteropJob(t, TASKS)
      ended(await job.theirs(...LOAD))
      const agents = [job.startAgent(...SLOTS), job.startAgent(...SLOTS)]
      ended(await job.theirs(...COLLECT))
      for (const agent of await job.stop(agents)) ended(agent)

      await checkJob(job, TASKS, 'theirs')
      const counts = checkEvents(job.file('job.db'))
      assert.deepEqual(counts, { ours: expectedOutcomes(TASKS).size + ATTEMPTS_MORE, theirs: 0 })
    })
  })
})
