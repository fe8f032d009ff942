// The page of a job that is not over, in a real browser: what it shows, finds, opens, and survives.
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { type Dashboard, openDashboard } from '../../manager/dashboard/server.ts'
import { auditPage, countsOn, eventually, keepPicture, openChromium, openPage, withoutChromium } from './chromium.ts'
import { makeTrickyJob, SCRIPT, SCRIPT_TASK, type TrickyJob } from './tricky-job.ts'

describe('the dashboard in a browser', { skip: withoutChromium, timeout: 240_000 }, () => {
  let job: TrickyJob
  let dashboard: Dashboard
  let browser: Browser
  before(async () => {
    job = makeTrickyJob()
    dashboard = await openDashboard({ file: job.file })
    browser = await openChromium()
  })
  after(async () => {
    await browser?.close()
    await dashboard?.close()
    job?.remove()
  })

  /** Opens the page, and afterwards holds it to silence: no error, no warning, no refused or foreign request. */
  async function onPage(look: (page: Page) => Promise<void>, options: BrowserContextOptions = {}, hash = '') {
    const { page, complaints, close } = await openPage(browser, dashboard.url + hash, options)
    try {
      await page.locator('#tasks tbody tr').first().waitFor()
      await look(page)
      assert.equal(await page.evaluate('window.pwned'), undefined)
      assert.deepEqual(complaints, [])
    } finally {
      await close()
    }
  }

  function query(sql: string): readonly Readonly<Record<string, unknown>>[] {
    const sqlite = new DatabaseSync(job.file, { readOnly: true })
    const rows = sqlite.prepare(sql).all()
    sqlite.close()
    return rows
  }

  it('shows the counts that are in the database', () =>
    onPage(async page => {
      const rows = query('SELECT status, count(*) AS n FROM tasks GROUP BY 1')
      assert.deepEqual(await countsOn(page), Object.fromEntries(rows.map(row => [row.status, row.n])))
      const failed = query(`SELECT count(*) AS n FROM tasks WHERE status IN ('exception', 'timed_out', 'failed')`)[0]?.n
      assert.equal(await page.locator('#failures-figure').textContent(), String(failed))
      await keepPicture(page, 'unfinished-light')
    }))

  it('shows script in ids, results, exceptions and logs as text', () =>
    onPage(async page => {
      await page.getByLabel('Task id contains').fill('<script>')
      await eventually(async () => assert.equal(await page.locator('#tasks tbody tr').count(), 1))
      const row = page.locator('#tasks tbody tr')
      assert.ok((await row.textContent())?.includes(SCRIPT_TASK))
      await row.getByRole('button').click()
      const dialog = page.locator('dialog')
      await dialog.getByText('Last log lines').waitFor()
      const words = (await dialog.textContent()) ?? ''
      assert.ok(words.includes(SCRIPT_TASK), 'the id')
      assert.ok(words.includes(`ValueError: ${SCRIPT}`), 'the exception')
      assert.ok(words.includes(`reading\n${SCRIPT}`), 'the log')
      await page.locator('#exceptions summary').first().evaluate('element => element.click()')
      assert.equal(await page.evaluate(`document.querySelectorAll('body script, body img').length`), 0)
      await keepPicture(page, 'script-as-text')
    }))

  it('narrows the tasks by status, by what went wrong, by VM and by text, and says how many there are', () =>
    onPage(async page => {
      const matching = (where: string) => `${query(`SELECT count(*) AS n FROM tasks WHERE ${where}`)[0]?.n} tasks`
      const shows = (text: string) =>
        eventually(async () => assert.equal(await page.locator('#matching').textContent(), text))
      await page.getByLabel('Status').selectOption('timed_out')
      await shows(matching(`status = 'timed_out'`))
      assert.deepEqual(
        await page.locator('#tasks tbody tr td:nth-child(2)').allTextContents(),
        Array(10).fill('Timed out'),
      )
      await page.getByRole('button', { name: 'Show all' }).click()
      await shows('300 tasks')
      await page.locator('#exceptions details').first().locator('summary').click()
      const count = Number(await page.locator('#exceptions details').first().locator('b').textContent())
      await page.getByRole('button', { name: 'Show these tasks' }).first().click()
      await shows(`${count} tasks`)
      await page.getByRole('button', { name: 'Show all' }).click()
      await page.getByLabel('VM', { exact: true }).fill('vm-3')
      await shows(
        `${query(`SELECT count(DISTINCT task_id) AS n FROM events WHERE raw_event LIKE '%"vm-3"%'`)[0]?.n} tasks`,
      )
      await page.getByLabel('VM', { exact: true }).fill('')
      await page.getByLabel('Task id contains').fill('task-29')
      await shows(matching(`task_id LIKE '%task-29%'`))
    }))

  it('sorts by time, turns pages and says the order to a screen reader', () =>
    onPage(async page => {
      const times = page.locator('#tasks tbody tr td:nth-child(4)')
      await page.getByRole('button', { name: 'Time', exact: true }).click()
      await eventually(async () => assert.equal(await times.first().textContent(), '4.1 s'))
      const head = page.locator('#tasks th', { hasText: 'Time' })
      assert.equal(await head.getAttribute('aria-sort'), 'descending')
      const first = await page.locator('#tasks tbody tr').first().textContent()
      await page.getByRole('button', { name: 'Next' }).click()
      await eventually(async () => assert.equal(await page.locator('#page').textContent(), 'Page 2'))
      assert.notEqual(await page.locator('#tasks tbody tr').first().textContent(), first)
      await page.getByRole('button', { name: 'Previous' }).click()
      await eventually(async () => assert.equal(await page.locator('#tasks tbody tr').first().textContent(), first))
    }))

  it('tells everything about a task: each attempt, what it was given, what came of it', () =>
    onPage(async page => {
      await page.getByLabel('Task id contains').fill('task-150')
      await page.getByRole('button', { name: 'task-150', exact: true }).click()
      const dialog = page.locator('dialog')
      const attempts = dialog.locator('details.attempt')
      await eventually(async () => assert.equal(await attempts.count(), 2))
      const words = (await attempts.allTextContents()).join(' ')
      assert.match(words, /1\. Interrupted after .*Reason ?preempted/s)
      assert.match(words, /2\. (Exception|Timed out) after .*Memory ?50 MB/s)
      assert.match((await dialog.textContent()) ?? '', /"index": 150/)
      assert.equal(new URL(page.url()).hash, '#search=task-150&task=task-150')
    }))

  it('can be used with the keyboard alone', () =>
    onPage(async page => {
      await page.keyboard.press('Tab')
      assert.equal(await page.locator(':focus').textContent(), 'To the tasks')
      const task = page.getByRole('button', { name: 'task-1', exact: true })
      await task.focus()
      await page.keyboard.press('Enter')
      await page.locator('dialog[open]').waitFor()
      await page.keyboard.press('Escape')
      await eventually(async () => assert.equal(await page.locator('dialog[open]').count(), 0))
      assert.equal(await page.locator(':focus').textContent(), 'task-1')
      await page.locator('.plots').focus()
      await page.keyboard.press('ArrowLeft')
      await eventually(async () =>
        assert.match((await page.locator('#charts header [role=status]').textContent()) ?? '', /:/),
      )
      await page.keyboard.press('+')
      await eventually(async () =>
        assert.equal(await page.getByRole('button', { name: 'whole job' }).isEnabled(), true),
      )
      await page.keyboard.press('0')
      await eventually(async () =>
        assert.equal(await page.getByRole('button', { name: 'whole job' }).isEnabled(), false),
      )
      await page.locator('.lanes').focus()
      await page.keyboard.press('ArrowRight')
      await eventually(async () =>
        assert.match((await page.locator('.card').textContent()) ?? '', /vm-0 local-2, local-a, spot/),
      )
    }))

  it('zooms into a span of time that was dragged over, charts and VMs alike', () =>
    onPage(async page => {
      const count = page.locator('#timeline .timeline-head > span')
      await eventually(async () => assert.equal(await count.textContent(), '6 VMs in this time, 1 taken away'))
      const plot = page.locator('.plots .u-over').first()
      const box = await plot.boundingBox()
      assert.ok(box)
      const before = await page.locator('#charts canvas').first().screenshot()
      const series = page.waitForResponse(response => /\/api\/series\?from=/.test(response.url()))
      const y = box.y + box.height / 2
      await page.mouse.move(box.x + 1, y)
      await page.mouse.down()
      await page.mouse.move(box.x + 6, y)
      await page.mouse.move(box.x + 8, y)
      await page.mouse.up()
      assert.equal((await series).status(), 200)
      await eventually(async () =>
        assert.equal(await page.getByRole('button', { name: 'whole job' }).isEnabled(), true),
      )
      await eventually(async () =>
        assert.notDeepEqual(await page.locator('#charts canvas').first().screenshot(), before),
      )
    }))

  it('names the task under the pointer inside a VM’s bar, and opens it at a click', () =>
    onPage(async page => {
      const zoom = page.getByRole('button', { name: 'Zoom in' })
      for (let step = 0; step < 3; step++) await zoom.click()
      await page.getByText('task completed').waitFor()
      const lanes = page.locator('.lanes')
      await lanes.scrollIntoViewIfNeeded()
      const box = await lanes.boundingBox()
      assert.ok(box)
      const tip = page.locator('.tip')
      let named: string | undefined
      let x = box.x + 100
      for (; named === undefined && x < box.x + box.width; x += 7) {
        await page.mouse.move(x, box.y + 5)
        named = /^(task-\d+): completed after/.exec((await tip.textContent()) ?? '')?.[1]
      }
      assert.ok(named, 'some task is at the top of the first bar')
      await page.mouse.click(x - 7, box.y + 5)
      await page.locator('dialog[open] h2', { hasText: named }).waitFor()
      await keepPicture(page, 'task-from-timeline')
    }))

  it('opens at what a copied address names', () =>
    onPage(
      async page => {
        await eventually(async () => assert.equal(await page.locator('#matching').textContent(), '10 tasks'))
        assert.equal(await page.getByLabel('Status').inputValue(), 'timed_out')
      },
      {},
      '#status=timed_out',
    ))

  it('is dark where the system is, and as the reader chooses', () =>
    onPage(
      async page => {
        const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
        assert.equal(await background(), 'rgb(13, 16, 20)')
        await keepPicture(page, 'unfinished-dark')
        await page.getByRole('button', { name: 'System theme' }).click()
        assert.equal(await background(), 'rgb(244, 245, 247)')
        await page.reload()
        await page.getByRole('button', { name: 'Light theme' }).click()
        assert.equal(await background(), 'rgb(13, 16, 20)')
      },
      { colorScheme: 'dark' },
    ))

  it('fits on a phone of 320 pixels', () =>
    onPage(
      async page => {
        assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 320)
        const narrow: number = await page.evaluate(
          `Math.min(...[...document.querySelectorAll('button:not([hidden])')].filter(b => b.offsetParent).map(b => b.offsetHeight))`,
        )
        assert.ok(narrow >= 24, `a button is ${narrow} pixels high`)
        await keepPicture(page, 'unfinished-phone')
      },
      { viewport: { width: 320, height: 640 }, hasTouch: true },
    ))

  for (const [name, options] of [
    ['light', {}],
    ['dark', { colorScheme: 'dark' }],
    ['on a phone', { viewport: { width: 320, height: 640 } }],
  ] as const) {
    it(`passes the accessibility audit, ${name}: as it opens, unfolded, and with a task open`, () =>
      onPage(async page => {
        assert.deepEqual(await auditPage(page), [])
        await page.getByText('The charts as a table').click()
        await page.getByText('The VMs as a table').click()
        await page.locator('#exceptions summary').first().click()
        await page.locator('.lanes').press('ArrowRight')
        await page.locator('.card').waitFor()
        assert.deepEqual(await auditPage(page), [])
        await page.locator('#tasks tbody button').first().click()
        await page.locator('dialog dl').first().waitFor()
        assert.deepEqual(await auditPage(page), [])
      }, options))
  }

  it('goes on by itself when its server was away', async () => {
    const first = await openDashboard({ file: job.file })
    const { page, close } = await openPage(browser, first.url)
    await first.close()
    await page.getByText('Connection lost, trying again').waitFor()
    await page.getByLabel('Status').selectOption('timed_out')
    await page.getByText('The server cannot be reached.').waitFor()
    const second = await openDashboard({ file: job.file, port: Number(new URL(first.url).port) })
    await eventually(async () => assert.equal(await page.locator('#matching').textContent(), '10 tasks'))
    await eventually(async () => assert.equal(await page.locator('#trouble').isVisible(), false))
    await eventually(async () =>
      assert.notEqual(await page.locator('#state').textContent(), 'Connection lost, trying again'),
    )
    await close()
    await second.close()
  })

  it('says the figures of the charts and of the VMs as tables', () =>
    onPage(async page => {
      await page.getByText('The VMs as a table').click()
      const rows = page.locator('#timeline tbody tr')
      await eventually(async () => assert.equal(await rows.count(), 6))
      assert.match((await rows.allTextContents()).join('\n'), /vm-1local-2local-bspot.*preempted/)
      await page.getByText('The charts as a table').click()
      const figures = page.locator('.plots ~ details tbody tr')
      await eventually(async () => assert.ok((await figures.count()) > 5))
    }))
})
