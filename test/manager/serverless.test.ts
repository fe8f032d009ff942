import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { vmId } from '../../core/ids.ts'
import { preemptVm } from '../../infra/local/pool.ts'
import { readServerlessState } from '../../manager/serverless/orders.ts'
import { JobFolder, type JobFolderOptions } from '../support/job-folder.ts'
import {
  collectResults,
  costOf,
  drained,
  openServerlessJob,
  registeredVms,
  type ServerlessJob,
  tickUntil,
} from '../support/serverless-job.ts'

const TIMEOUT = { timeout: 90_000 }
const USD_PER_HOUR = 36

async function loadedJob(
  t: TestContext,
  options: JobFolderOptions,
): Promise<{ folder: JobFolder; job: ServerlessJob }> {
  const { local = [], ...rest } = options
  const folder = new JobFolder({ ...rest, local: [`price_per_hour: ${USD_PER_HOUR}`, ...local] })
  t.after(() => folder.remove())
  const { exitCode, stderr } = await folder.run('load_queue', '--config', 'job.yml', '--task-file', 'tasks.json')
  assert.equal(exitCode, 0, stderr)
  const job = await openServerlessJob(folder.path)
  t.after(() => job.close())
  return { folder, job }
}

describe('the serverless manager', () => {
  it('drains a job by looks alone, replaces preempted VMs, and leaves nothing that costs', TIMEOUT, async t => {
    const { folder, job } = await loadedJob(t, {
      taskCount: 2000,
      taskModule: `export default async (id, { a, b }) => {
        await new Promise(resolve => setTimeout(resolve, 8))
        return a + b
      }`,
      run: ['lease_seconds: 3', 'max_total_price_per_hour: 1000'],
      local: ['notice_seconds: 1'],
    })
    let preemptions = 0
    await tickUntil(job, summary => {
      if (summary.kind === 'looked' && preemptions < 2 && summary.backlog < 1500 - 500 * preemptions) {
        const alive = registeredVms(folder).find(vm => vm.endedMs === undefined)
        if (alive !== undefined) {
          preemptions += 1
          void preemptVm(job.root, vmId(alive.id))
        }
      }
      return drained(summary)
    })
    assert.equal(preemptions, 2)
    await collectResults(job, folder)
    assert.equal(folder.count("status = 'completed'"), 2000)
    assert.equal(folder.count("result = json_extract(task_data, '$.a') + json_extract(task_data, '$.b')"), 2000)
    const vms = registeredVms(folder)
    t.diagnostic(`${vms.length} VMs: ${vms.map(vm => vm.endReason).join(', ')}`)
    assert.ok(vms.every(vm => vm.endedMs !== undefined))
    assert.equal(vms.filter(vm => vm.endReason === 'preempted').length, 2)
    assert.ok(vms.length <= 4, 'no more than 2 at once and one for each that was preempted')
    const state = await readServerlessState(job.provider, job.job.jobId, new Date())
    assert.equal(state?.spentUsd.toFixed(6), costOf(vms, USD_PER_HOUR).toFixed(6))
    assert.equal(state?.vmCount, 0)
  })
})
