// The dashboard beside a running manager: real VMs, real orders from the page, and what the manager made of them.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { JobView, TasksView } from '../../manager/dashboard/api.ts'
import { openDashboard } from '../../manager/dashboard/server.ts'
import { Page } from '../support/dashboard-job.ts'
import { JobFolder, type JobFolderOptions, type RunningCli } from '../support/job-folder.ts'

const TIMEOUT = { timeout: 90_000 }
const FRESH = ['run', '--config', 'job.yml', '--task-file', 'tasks.json', '--dashboard', '--allow-control'] as const
const AGAIN = ['run', '--config', 'job.yml', '--continue', '--dashboard', '--allow-control'] as const
const OPTIONS: JobFolderOptions = {
  taskCount: 400,
  run: ['lease_seconds: 2'],
  local: ['vcpus_per_vm: 1', 'price_per_hour: 0.1'],
  taskModule: `export default async (id, { a, b }) => {
    await new Promise(resolve => setTimeout(resolve, 50))
    return [false, a + b]
  }`,
}

async function start(
  t: TestContext,
  folder: JobFolder,
  words: readonly string[],
): Promise<{ page: Page; cli: RunningCli }> {
  const cli = folder.start(...words)
  const address = await new Promise<string>((resolve, reject) => {
    let said = ''
    const hear = (text: string) => {
      said += text
      const url = /http:\/\/127\.0\.0\.1:\S+(?=\s)/.exec(said)?.[0]
      if (url !== undefined) resolve(url)
    }
    cli.child.stdout?.on('data', hear)
    cli.child.stderr?.on('data', hear)
    cli.ended.then(({ stderr }) => reject(new Error(`It ended without a dashboard: ${stderr}`)), reject)
  })
  t.diagnostic(address.replace(/#.*/, ''))
  return { page: new Page(address), cli }
}

function newFolder(t: TestContext, options: JobFolderOptions = {}): JobFolder {
  const folder = new JobFolder({ ...OPTIONS, ...options })
  t.after(() => folder.remove())
  return folder
}

async function ordered(page: Page, order: object): Promise<void> {
  const { status, body } = await page.order(order)
  assert.equal(status, 202, body)
}

const alive = ({ vms }: JobView) => vms.starting + vms.running + vms.stopping
const settled = ({ controls }: JobView) => controls.pending.length === 0

describe('a job that is controlled from the dashboard', { concurrency: 2 }, () => {
  it('pauses, resumes, changes its number of VMs, and ends well', TIMEOUT, async t => {
    const folder = newFolder(t, { taskCount: 700 })
    const { page, cli } = await start(t, folder, FRESH)
    const work = await page.until<JobView>('work', '/api/job', job => job.doneCount > 5 && job.vms.running === 2)
    assert.deepEqual([work.managerAlive, work.control, work.controls.maxInstances], [true, true, 2])

    await ordered(page, { action: 'pause' })
    const paused = await page.until<JobView>('the pause', '/api/job', job => job.controls.paused)
    assert.equal(alive(paused), 0, 'an order counts as carried out only when no VM is left')
    assert.equal(paused.eta, undefined)
    assert.match(String((await folder.run('why', '--config', 'job.yml')).stdout), /paused/)

    await ordered(page, { action: 'limits', maxInstances: 1, maxTotalCostUsd: 7 })
    await ordered(page, { action: 'resume' })
    const resumed = await page.until<JobView>('work again', '/api/job', job => job.vms.running === 1 && settled(job))
    assert.deepEqual(
      [resumed.controls.paused, resumed.controls.maxInstances, resumed.controls.maxTotalCostUsd, resumed.cost.capUsd],
      [false, 1, 7, 7],
    )
    // What was left is reserved for the VM that runs: more VMs need more money.
    await ordered(page, { action: 'limits', maxInstances: 3, maxTotalCostUsd: 50 })
    await page.until<JobView>('three VMs', '/api/job', job => job.vms.running === 3)
    await ordered(page, { action: 'limits', maxInstances: 2 })
    const fewer = await page.until<JobView>('fewer VMs', '/api/job', job => settled(job) && alive(job) <= 2)
    assert.equal(fewer.controls.maxInstances, 2)
    await ordered(page, { action: 'limits', maxInstances: 6, maxTotalCostUsd: 500 })

    const { exitCode, stderr } = await cli.ended
    assert.equal(exitCode, 0, stderr)
    assert.equal(folder.count("status = 'completed'"), 700)
    assert.ok(Number(folder.query('SELECT count(*) AS n FROM samples WHERE ready NOTNULL')[0]?.n) > 2)
  })

  it('stops, keeps its queues, and goes on later with the limits that were set last', TIMEOUT, async t => {
    const folder = newFolder(t)
    const { page, cli } = await start(t, folder, FRESH)
    await page.until<JobView>('work', '/api/job', job => job.doneCount > 5)
    await ordered(page, { action: 'limits', maxInstances: 1 })
    await page.until<JobView>('the limit', '/api/job', settled)
    await ordered(page, { action: 'stop' })
    const stopped = await cli.ended
    assert.equal(stopped.exitCode, 1, stopped.stderr)
    assert.match(stopped.stderr, /Stopped from the dashboard. Database and queues are kept/)
    assert.deepEqual(folder.query('SELECT * FROM controls WHERE done_at IS NULL'), [])
    assert.deepEqual(folder.query("SELECT * FROM instances WHERE state <> 'terminated'"), [])
    const { stdout } = await folder.run('show_queue', '--config', 'job.yml', '--json')
    assert.equal(JSON.parse(stdout).exists, true)

    const again = await start(t, folder, AGAIN)
    const going = await again.page.until<JobView>('work', '/api/job', job => job.vms.running > 0)
    assert.equal(going.controls.maxInstances, 1)
    await again.page.until<JobView>('some more', '/api/job', job => job.doneCount > going.doneCount)
    again.cli.child.kill('SIGTERM')
    await again.cli.ended

    const told = await start(t, folder, [...AGAIN, '--max-instances', '4'])
    await told.page.until<JobView>('four VMs', '/api/job', job => job.vms.running === 4)
    assert.equal((await told.cli.ended).exitCode, 0)
    assert.equal(folder.count("status = 'completed'"), 400)
  })

  it('puts failed tasks back into the queue while others still run', TIMEOUT, async t => {
    const folder = newFolder(t, {
      taskCount: 60,
      run: ['lease_seconds: 2', 'retry_on_exception: true', 'max_attempts: 1'],
      taskModule: `import { existsSync } from 'node:fs'
        export default async (id, { a, b }) => {
          await new Promise(resolve => setTimeout(resolve, a < 5 ? 10 : 250))
          if (a < 5 && !existsSync(new URL('./mended', import.meta.url))) throw new Error('not mended')
          return [false, a + b]
        }`,
    })
    const { page, cli } = await start(t, folder, FRESH)
    await page.until<TasksView>('five failures', '/api/tasks?status=failed', view => view.totalMatching === 5)
    folder.write('mended', '')
    await ordered(page, { action: 'requeue' })
    const after = await page.until<JobView>('no failures', '/api/job', job => settled(job) && job.failedCount === 0)
    assert.equal(after.controls.failed, undefined)
    const { exitCode, stderr } = await cli.ended
    assert.equal(exitCode, 0, stderr)
    assert.equal(folder.count("status = 'completed'"), 60)
  })

  it('is not stopped by an order to a manager that was killed before it could obey', TIMEOUT, async t => {
    const folder = newFolder(t)
    const { page, cli } = await start(t, folder, FRESH)
    await page.until<JobView>('work', '/api/job', job => job.doneCount > 5)
    await ordered(page, { action: 'pause' })
    await page.until<JobView>('the pause', '/api/job', job => job.controls.paused)
    const dashboard = await openDashboard({ file: folder.dbFile, allowControl: true })
    t.after(() => dashboard.close())
    const other = new Page(dashboard.url)
    cli.child.kill('SIGSTOP')
    await ordered(other, { action: 'stop' })
    assert.deepEqual((await other.job()).controls.pending, ['stop'])
    cli.child.kill('SIGKILL')
    await cli.ended
    assert.equal((await other.job()).managerAlive, false)
    assert.equal((await other.order({ action: 'resume' })).status, 409)

    const again = await start(t, folder, AGAIN)
    const going = await again.page.until<JobView>('work again', '/api/job', job => job.vms.running > 0)
    assert.deepEqual([going.controls.paused, going.controls.pending], [false, []])
    const [order] = folder.query("SELECT error FROM controls WHERE action = 'stop'")
    assert.match(String(order?.error), /The manager ended before it could do this/)
    assert.equal((await again.cli.ended).exitCode, 0)
    assert.equal(folder.count("status = 'completed'"), 400)
  })

  it('is shown beside monitor_event_queue, and by a command of its own, which Ctrl-C ends', TIMEOUT, async t => {
    const folder = newFolder(t, { taskCount: 3 })
    const loaded = await folder.run('load_queue', '--config', 'job.yml', '--task-file', 'tasks.json')
    assert.equal(loaded.exitCode, 0, loaded.stderr)
    const monitor = await start(t, folder, ['monitor_event_queue', '--config', 'job.yml', '--dashboard'])
    const alone = await start(t, folder, ['dashboard', '--config', 'job.yml'])
    for (const { page } of [monitor, alone]) {
      const seen = await page.until<JobView>('the tasks', '/api/job', job => job.total === 3)
      assert.deepEqual([seen.control, seen.managerAlive, page.token], [false, false, undefined])
    }
    alone.cli.child.kill('SIGINT')
    assert.equal((await alone.cli.ended).exitCode, 0)
    await assert.rejects(alone.page.job())
    monitor.cli.child.kill('SIGINT')
    await monitor.cli.ended
    await assert.rejects(monitor.page.job())
  })

  it('shows the truth of the database at any moment', TIMEOUT, async t => {
    const folder = newFolder(t)
    const { page, cli } = await start(t, folder, FRESH)
    let looks = 0
    while (cli.child.exitCode === null) {
      const before = folder.count("status = 'completed'")
      const seen = await page.job().catch(() => undefined) // it ends with the job
      const after = folder.count("status = 'completed'")
      if (seen === undefined) break
      assert.ok(
        seen.counts.completed >= before && seen.counts.completed <= after,
        `${before} ${seen.counts.completed} ${after}`,
      )
      assert.equal(seen.total, 400)
      looks++
    }
    assert.ok(looks > 3)
    assert.equal((await cli.ended).exitCode, 0)
  })
})
