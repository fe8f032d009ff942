// The page beside a real job: a real manager, VMs that are taken away, a dashboard started as a person would, a real browser.
// Its numbers are those of the database while the job runs, and at its end; a report says the same afterwards.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { JobFolder, type RunningCli } from '../support/job-folder.ts'
import { auditPage, countsOn, eventually, keepPicture, openChromium, openPage, withoutChromium } from './chromium.ts'

const TASKS = 1500

const FAILS_SOMETIMES = `export default async (taskId, { a }) => {
  await new Promise(resolve => setTimeout(resolve, 10 + (a % 40)))
  console.log('adding', a)
  if (a % 50 === 0) throw new Error('<img src=x onerror="window.pwned=1"> of ' + taskId)
  return [false, a]
}
`

describe('the dashboard of a running job', { skip: withoutChromium, timeout: 240_000 }, () => {
  let folder: JobFolder
  let browser: Browser
  before(async () => {
    folder = new JobFolder({
      jobId: 'live',
      taskCount: TASKS,
      taskModule: FAILS_SOMETIMES,
      local: [
        'vcpus_per_vm: 2',
        'boot_seconds: 1',
        'notice_seconds: 1',
        'preemptions_per_hour: 150',
        'price_per_hour: 7.2',
        'seed: 7',
      ],
      run: ['lease_seconds: 5', 'max_total_cost: 100', 'max_attempts: 2', 'retry_on_exception: true'],
    })
    browser = await openChromium()
  })
  after(async () => {
    await browser?.close()
    await folder?.remove()
  })

  it('shows the numbers of the database at every moment, says when the job is over, and when its server is gone', async () => {
    const run = folder.start('run', '--config', 'job.yml', '--task-file', 'tasks.json', '--force')
    await waitForDone(10)
    const dashboard = folder.start('dashboard', '--db-file', folder.dbFile)
    const { page, complaints } = await openPage(browser, await addressOf(dashboard))
    for (const share of [0.1, 0.4, 0.7]) {
      await waitForDone(share * TASKS)
      await comparePage(page)
      if (share === 0.4) await keepPicture(page, 'running')
    }
    const { exitCode, stderr } = await run.ended
    assert.equal(exitCode, 1, `some tasks have failed, and nothing else: ${stderr}`)
    await compareEnd(page)
    assert.deepEqual(await auditPage(page), [])
    await keepPicture(page, 'ended')
    assert.equal(await page.evaluate('window.pwned'), undefined)
    assert.deepEqual(complaints, [])
    dashboard.child.kill('SIGINT')
    assert.equal((await dashboard.ended).exitCode, 0)
    await page.getByText('Connection lost').waitFor()
  })

  it('is the same in the report as one file, which needs no server and fetches nothing', async () => {
    const written = await folder.run('report', '--db-file', folder.dbFile, '--html', folder.file('report.html'))
    assert.equal(written.exitCode, 0, written.stderr)
    const { page, complaints } = await openPage(browser, pathToFileURL(folder.file('report.html')).href)
    await compareEnd(page)
    await page.getByRole('button', { name: 'Show failed tasks' }).click()
    const failed = folder.count(`status <> 'completed'`)
    await eventually(async () => assert.equal(await page.locator('#matching').textContent(), `${failed} tasks`))
    await page.locator('#tasks tbody button').first().click()
    await page.locator('dialog details.attempt').first().waitFor()
    assert.match((await page.locator('dialog').textContent()) ?? '', /<img src=x onerror="window\.pwned=1"> of sum-0/)
    await page.keyboard.press('Escape')
    assert.deepEqual(await auditPage(page), [])
    await keepPicture(page, 'report')
    assert.equal(await page.evaluate('window.pwned'), undefined)
    assert.deepEqual(complaints, [])
  })

  function countsInDb(): Readonly<Record<string, number>> {
    const rows = folder.query('SELECT status, count(*) AS n FROM tasks GROUP BY 1')
    return Object.fromEntries(rows.map(row => [String(row.status), Number(row.n)]))
  }

  async function waitForDone(count: number): Promise<void> {
    const completed = () => folder.count(`status = 'completed'`)
    const deadline = Date.now() + 60_000
    while (completed() < count) {
      assert.ok(Date.now() < deadline, `${completed()} of ${count} tasks are completed after a minute`)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }

  /** Both move: what the page shows lies between what the database held before and after. */
  async function comparePage(page: Page): Promise<void> {
    const earlier = countsInDb().completed ?? 0
    await eventually(async () => {
      const shown = await countsOn(page)
      const later = countsInDb().completed ?? 0
      const completed = shown.completed ?? 0
      assert.ok(earlier <= completed && completed <= later, `${earlier} ≤ ${completed} ≤ ${later}`)
      assert.equal(
        Object.values(shown).reduce((sum, count) => sum + count, 0),
        TASKS,
        'all tasks are accounted for',
      )
      const done = `${(completed + (shown.exception ?? 0) + (shown.failed ?? 0)).toLocaleString('en')} of 1,500 tasks done`
      assert.equal(await page.locator('#done').textContent(), done)
    })
  }

  async function compareEnd(page: Page): Promise<void> {
    const report = JSON.parse((await folder.run('report', '--db-file', folder.dbFile, '--json')).stdout)
    await eventually(async () => {
      assert.deepEqual(await countsOn(page), countsInDb())
      assert.equal(await page.locator('#percent').textContent(), '100 %')
      assert.equal(await page.locator('#state').textContent(), 'Ended with failures')
      const usd = Number((await page.locator('#cost-figure').textContent())?.slice(1))
      assert.ok(usd > 0.01 && Math.abs(usd - report.cost.usd) <= 0.0005, `${usd} is ${report.cost.usd} to three digits`)
      assert.equal(await page.locator('#vms-figure').textContent(), '0')
      const ended = folder.query(`SELECT count(*) AS n, sum(end_reason = 'preempted') AS lost FROM instances`)[0]
      const text = `${ended?.n} ended, ${ended?.lost} of them preempted`
      assert.ok((await page.locator('#vms').textContent())?.includes(text), text)
      const failed = folder.count(`exception IS NOT NULL`)
      assert.equal(await page.locator('#exceptions b').first().textContent(), String(failed))
      const bars = await page.locator('#timeline .timeline-head > span').textContent()
      assert.equal(bars, `${ended?.n} VM${ended?.n === 1 ? '' : 's'} in this time, ${ended?.lost} taken away`)
    })
  }
})

/** As it prints it. */
async function addressOf({ child }: RunningCli): Promise<string> {
  let printed = ''
  for (;;) {
    const found = /http:\/\/\S+/.exec(printed)?.[0]
    if (found !== undefined) return found
    const [text] = await once(child.stdout ?? child, 'data')
    printed += text
  }
}
