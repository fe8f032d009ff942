import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { type Clock, systemClock } from '../../core/clock.ts'
import { vmId } from '../../core/ids.ts'
import { preemptVm } from '../../infra/local/pool.ts'
import { orderResume, orderStop, readServerlessState } from '../../manager/serverless/orders.ts'
import { JobFolder, type JobFolderOptions } from '../support/job-folder.ts'
import { until } from '../support/processes.ts'
import {
  collectResults,
  costOf,
  drained,
  openServerlessJob,
  providerWith,
  registeredVms,
  type ServerlessJob,
  tickUntil,
  withRoughCounts,
} from '../support/serverless-job.ts'

const TIMEOUT = { timeout: 90_000 }
const USD_PER_HOUR = 36

async function loadedJob(
  t: TestContext,
  options: JobFolderOptions,
): Promise<{ folder: JobFolder; job: ServerlessJob }> {
  const { local = [], ...rest } = options
  const price = local.some(line => line.startsWith('price_per_hour')) ? [] : [`price_per_hour: ${USD_PER_HOUR}`]
  const folder = new JobFolder({ ...rest, local: [...price, ...local] })
  t.after(() => folder.remove())
  const { exitCode, stderr } = await folder.run('load_queue', '--config', 'job.yml', '--task-file', 'tasks.json')
  assert.equal(exitCode, 0, stderr)
  const job = await openServerlessJob(folder.path)
  t.after(() => job.close())
  return { folder, job }
}

describe('the serverless manager', { concurrency: 4 }, () => {
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
    await assertCostIsCountedOnce(folder, job)
  })

  it('asks for nothing and writes nothing while there is nothing to do', TIMEOUT, async t => {
    const { job } = await loadedJob(t, { taskCount: 0 })
    const notebook = job.provider.openNotebook(job.job)
    await job.tick()
    const { version } = (await notebook.read()) ?? {}
    assert.ok(version !== undefined)
    for (let look = 0; look < 5; look++) assert.ok(drained(await job.tick()))
    assert.equal((await notebook.read())?.version, version)
  })

  it('acts once when two looks or more overlap', TIMEOUT, async t => {
    const { folder, job } = await loadedJob(t, { taskCount: 400, run: ['max_total_price_per_hour: 1000'] })
    const others = await Promise.all([1, 2, 3].map(() => openServerlessJob(folder.path)))
    t.after(() => Promise.all(others.map(other => other.close())))
    const all = [job, ...others]
    for (let round = 0; round < 5; round++) {
      const summaries = await Promise.all(all.map(one => one.tick()))
      if (round > 0) continue
      assert.equal(summaries.filter(({ kind }) => kind === 'looked').length, 1)
      assert.equal(registeredVms(folder).length, 2)
    }
    await tickUntil(job, drained)
    assert.equal(registeredVms(folder).length, 2)
    await assertCostIsCountedOnce(folder, job)
  })

  it(
    'pays for one VM when the startup script is broken, says so, and goes on after the next deploy',
    TIMEOUT,
    async t => {
      const { folder, job } = await loadedJob(t, { taskCount: 60, run: ['max_total_price_per_hour: 1000'] })
      const mended = readFileSync(folder.file('job.yml'), 'utf8')
      folder.write('job.yml', mended.replace('./task.ts', './missing.ts'))
      const broken = await openServerlessJob(folder.path)
      t.after(() => broken.close())
      const end = await tickUntil(broken, summary => summary.kind === 'looked' && summary.stopped !== undefined, {
        canary: true,
      })
      assert.ok(end.kind === 'looked')
      assert.match(end.stopped ?? '', /^VM rmscr-job-\w+ ended by itself before it could work: .*console log/)
      for (let look = 0; look < 3; look++) await broken.tick({ canary: true })
      assert.equal(registeredVms(folder).length, 1)
      const state = await readServerlessState(broken.provider, 'job', new Date())
      assert.equal(state?.stopped?.because, end.stopped)

      folder.write('job.yml', mended)
      await tickUntil(job, drained, { canary: true })
      await collectResults(job, folder)
      assert.equal(folder.count("status = 'completed'"), 60)
      await assertCostIsCountedOnce(folder, job)
    },
  )

  it('replaces a first VM that is preempted before it could work', TIMEOUT, async t => {
    const { folder, job } = await loadedJob(t, {
      taskCount: 40,
      run: ['max_total_price_per_hour: 1000'],
      local: ['boot_seconds: 3', 'notice_seconds: 0.1'],
    })
    await job.tick({ canary: true })
    const [first, ...others] = registeredVms(folder)
    assert.ok(first !== undefined && others.length === 0)
    await preemptVm(job.root, vmId(first.id))
    await until('its end', () => registeredVms(folder)[0]?.endedMs !== undefined)
    await tickUntil(job, drained, { canary: true })
    const vms = registeredVms(folder)
    assert.equal(vms[0]?.endReason, 'preempted')
    assert.ok(vms.length >= 2 && vms.length <= 3, `${vms.length} VMs`)
    await assertCostIsCountedOnce(folder, job)
  })

  it('keeps max_total_cost, stops, and goes on with a higher one; what was spent stays spent', TIMEOUT, async t => {
    const options = { taskCount: 300, taskModule: ADDS_IN_60_MS, local: ['price_per_hour: 3600'] } // 1 USD a second
    const { folder, job } = await loadedJob(t, {
      ...options,
      run: ['max_total_price_per_hour: 10000', 'max_total_cost: 13', 'lease_seconds: 3'],
    })
    const end = await tickUntil(job, summary => summary.kind === 'looked' && summary.stopped !== undefined)
    assert.ok(end.kind === 'looked')
    assert.match(end.stopped ?? '', /max_total_cost \$13/)
    await until('the VMs are gone', () => registeredVms(folder).every(vm => vm.endedMs !== undefined))
    const firstCost = costOf(registeredVms(folder), 3600)
    assert.ok(firstCost <= 13, `$${firstCost}`)
    await job.tick()
    await job.tick()
    const vmCount = registeredVms(folder).length

    const richer = readFileSync(folder.file('job.yml'), 'utf8').replace('max_total_cost: 13', 'max_total_cost: 1000')
    folder.write('job.yml', richer)
    const again = await openServerlessJob(folder.path)
    t.after(() => again.close())
    await tickUntil(again, drained)
    await collectResults(again, folder)
    assert.equal(folder.count("status = 'completed'"), 300)
    assert.ok(registeredVms(folder).length > vmCount)
    await assertCostIsCountedOnce(folder, again, 3600)
  })

  it('ends the VMs on an order to stop, starts none until the order to go on', TIMEOUT, async t => {
    const { folder, job } = await loadedJob(t, { taskCount: 500, run: ['max_total_price_per_hour: 1000'] })
    await job.tick()
    assert.equal(registeredVms(folder).length, 2)
    await orderStop(job.provider, 'job', { because: 'somebody asked for it', at: new Date() })
    const stopped = await tickUntil(job, summary => summary.kind === 'looked' && summary.vmCount === 0)
    assert.ok(stopped.kind === 'looked' && stopped.stopped === 'somebody asked for it')
    await job.tick()
    assert.equal(registeredVms(folder).length, 2)
    await orderResume(job.provider, 'job', new Date())
    await tickUntil(job, drained)
    await collectResults(job, folder)
    assert.equal(folder.count("status = 'completed'"), 500)
    await assertCostIsCountedOnce(folder, job)
  })

  it('leaves VMs to end themselves when the count of tasks is approximate', TIMEOUT, async t => {
    const { folder, job } = await loadedJob(t, {
      taskCount: 100,
      run: ['max_total_price_per_hour: 1000', 'idle_shutdown: 2'],
    })
    await tickUntil(job, drained, { provider: withRoughCounts(job.provider) })
    await until('the VMs are gone', () => registeredVms(folder).every(vm => vm.endedMs !== undefined))
    assert.deepEqual(new Set(registeredVms(folder).map(vm => vm.endReason)), new Set(['powered off']))
    await job.tick()
    await assertCostIsCountedOnce(folder, job)
  })

  it('stops when its first VM runs and takes no task, though tasks wait', TIMEOUT, async t => {
    const { folder, job } = await loadedJob(t, { taskCount: 10, run: [...SLEEPS, 'keepalive_startup_timeout: 2'] })
    const end = await tickUntil(job, summary => summary.kind === 'looked' && summary.stopped !== undefined, {
      canary: true,
    })
    assert.ok(end.kind === 'looked')
    assert.match(
      end.stopped ?? '',
      /none of 1 VMs gave a sign of life within 2 s; check that the startup script starts/,
    )
    const [vm, ...others] = registeredVms(folder)
    assert.deepEqual([vm?.endReason, others], ['terminated', []])
  })

  it('ends VMs that do not end themselves when the queue has been empty for surely long enough', TIMEOUT, async t => {
    const { folder, job } = await loadedJob(t, { taskCount: 1, run: SLEEPS })
    const provider = withRoughCounts(job.provider)
    let aheadMs = 0
    const clock: Clock = { now: () => Date.now() + aheadMs, sleep: systemClock.sleep }
    const look = () => job.tick({ provider, clock, until: new Date(clock.now() + 1000) })
    await look()
    await job.provider.openQueue('job', { leaseSeconds: 5 }).admin.purge()
    for (const minutes of [0, 5, 14]) {
      aheadMs = minutes * 60_000
      await look()
      assert.equal(registeredVms(folder)[0]?.endedMs, undefined, `${minutes} minutes`)
    }
    aheadMs = 16 * 60_000 // idle_shutdown is 5 minutes
    await look()
    await until('its end', () => registeredVms(folder)[0]?.endedMs !== undefined)
  })

  it('changes nothing when the VMs cannot be listed, and fails', TIMEOUT, async t => {
    const { folder, job } = await loadedJob(t, { taskCount: 10, run: ['max_total_price_per_hour: 1000'] })
    const { provider } = job
    const deaf = providerWith(provider, {
      openPool: ref => {
        const pool = provider.openPool(ref)
        return {
          launch: plan => pool.launch(plan),
          terminate: ids => pool.terminate(ids),
          list: () => Promise.reject(new Error('the listing is down')),
        }
      },
    })
    await assert.rejects(job.tick({ provider: deaf }), /the listing is down/)
    assert.equal(existsSync(folder.file('.cloud-tasks/vms.sqlite')) && registeredVms(folder).length > 0, false)
    await tickUntil(job, drained)
  })

  it('says what to do where the job is not deployed', async t => {
    const folder = new JobFolder()
    t.after(() => folder.remove())
    const job = await openServerlessJob(folder.path)
    t.after(() => job.close())
    await assert.rejects(job.tick(), /Queue "job" does not exist: deploy job "job"\./)
    assert.equal(await readServerlessState(job.provider, 'job', new Date()), undefined)
  })
})

/** VMs that boot and never work. */
const SLEEPS = ['startup_script: sleep 600', 'max_total_price_per_hour: 1000']

const ADDS_IN_60_MS = `export default async (id, { a, b }) => {
  await new Promise(resolve => setTimeout(resolve, 60))
  return a + b
}`

async function assertCostIsCountedOnce(
  folder: JobFolder,
  { provider, job }: ServerlessJob,
  usdPerHour = USD_PER_HOUR,
): Promise<void> {
  const vms = registeredVms(folder)
  assert.ok(vms.every(vm => vm.endedMs !== undefined))
  const state = await readServerlessState(provider, job.jobId, new Date())
  assert.equal(state?.vmCount, 0)
  assert.equal(state.unansweredCount, 0)
  assert.equal(state.spentUsd.toFixed(6), costOf(vms, usdPerHour).toFixed(6))
}
