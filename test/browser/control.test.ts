// Control from the page, over a real manager: what the buttons ask for is what the VMs do; without the token there is nothing to press.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { JobFolder, type RunningCli } from '../support/job-folder.ts'
import { auditPage, eventually, keepPicture, openChromium, openPage, withoutChromium } from './chromium.ts'

const LONG = `export default async () => {
  await new Promise(resolve => setTimeout(resolve, 100))
  return [false, 0]
}
`

describe('control of a running job from the page', { skip: withoutChromium, timeout: 240_000 }, () => {
  let folder: JobFolder
  let browser: Browser
  let run: RunningCli
  let address: string
  before(async () => {
    folder = new JobFolder({
      taskCount: 5000,
      taskModule: LONG,
      run: ['lease_seconds: 5'],
      local: ['boot_seconds: 0.5'],
    })
    browser = await openChromium()
    run = folder.start(
      ...['run', '--config', 'job.yml', '--task-file', 'tasks.json', '--force'],
      ...['--dashboard', '--allow-control'],
    )
    address = await addressOf(run)
  })
  after(async () => {
    await browser?.close()
    run?.child.kill('SIGKILL')
    await folder?.remove()
  })

  it('offers nothing to press on a page that was opened without the token', async () => {
    const { page, complaints, close } = await openPage(browser, address.replace(/#.*/, ''))
    await page.getByText('open the address that the dashboard printed').waitFor()
    for (const name of ['Pause', 'Stop', 'Requeue failed', 'Set limits']) {
      assert.equal(await page.getByRole('button', { name }).isDisabled(), true, name)
    }
    assert.deepEqual(complaints, [])
    await close()
  })

  it('pauses, resumes, limits and stops; the token is out of the address at once and survives a reload', async () => {
    const { page, complaints } = await openPage(browser, address)
    assert.equal(new URL(page.url()).hash, '')
    await page.reload()
    await vmsRunning(page, '2')

    await page.getByRole('button', { name: 'Pause' }).click()
    await page.locator('#state').filter({ hasText: 'Paused' }).waitFor()
    await vmsRunning(page, '0')
    assert.deepEqual(await auditPage(page), [])
    await keepPicture(page, 'paused')

    await page.getByLabel('Most VMs').fill('1')
    await page.getByRole('button', { name: 'Set limits' }).click()
    await eventually(async () => assert.equal(await page.getByLabel('Most VMs').getAttribute('placeholder'), '1'))

    await page.getByRole('button', { name: 'Resume' }).click()
    await page.locator('#state').filter({ hasText: 'Running' }).waitFor()
    await vmsRunning(page, '1')

    page.once('dialog', dialog => dialog.accept())
    await page.getByRole('button', { name: 'Stop' }).click()
    const { exitCode } = await run.ended
    assert.notEqual(exitCode, 0, 'the job is not done')
    assert.ok(folder.count(`status = 'in_queue_original'`) > 0, 'what was not done is kept')
    assert.deepEqual(
      complaints.filter(text => !text.includes('ERR_')),
      [],
      'but for the dashboard that went away with the manager',
    )
  })

  async function vmsRunning(page: Page, count: string): Promise<void> {
    await eventually(async () => assert.equal(await page.locator('#vms-figure').textContent(), count))
  }
})

/** `run` prints it on its log. */
async function addressOf({ child }: RunningCli): Promise<string> {
  let printed = ''
  for (;;) {
    const found = /http:\/\/\S+#token=\S+/.exec(printed)?.[0]
    if (found !== undefined) return found
    const [text] = await once(child.stderr ?? child, 'data')
    printed += text
  }
}
