// Photographs the dashboard of a real job: `node scripts/record-dashboard.ts` runs one on VMs of this machine, some of which are
// taken away, and writes docs/dashboard-*.png. Needs Chromium.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Browser, Page } from 'playwright-core'
import { openDashboard } from '../manager/dashboard/server.ts'
import { writeHtmlReport } from '../manager/report-html.ts'
import { openChromium, openPage } from '../test/browser/chromium.ts'

const TASKS = 5000
const PHOTOGRAPHED_AT = 0.62 // of the tasks

const root = join(import.meta.dirname, '..')
const folder = join(tmpdir(), 'flight-delays') // seen in tracebacks
const dbFile = join(folder, 'flight-delays.db')

const JOB = `provider: local
local:
  job_id: flight-delays
  root: local
  vcpus_per_vm: 4
  boot_seconds: 3
  notice_seconds: 3
  preemptions_per_hour: 60
  price_per_hour: 0.68
  seed: 11
run:
  task: ./task.ts
  max_instances: 5
  lease_seconds: 10
  scaling_check_interval: 1
  retry_on_exception: true
  max_attempts: 3
  max_total_cost: 0.25
`

// Most tasks take some tenths of a second, a few much longer; some airports are not known, some files cannot be read at first.
const TASK = `export default async (taskId, { airport, month }) => {
  const number = [...taskId].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9973, 7)
  console.log('reading', airport, month)
  await new Promise(resolve => setTimeout(resolve, 60 * Math.exp((number % 200) / 80) + (number % 400 === 0 ? 3000 : 0)))
  if (number % 97 === 0) throw new Error('no such airport: ' + airport)
  if (number % 41 === 0 && Math.random() < 0.7) throw new Error('storage did not answer within 2 s')
  return [false, { airport, month, meanDelayMinutes: Math.round(number / 300) }]
}
`

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'job.yml'), JOB)
writeFileSync(join(folder, 'task.ts'), TASK)
writeFileSync(join(folder, 'tasks.json'), JSON.stringify(makeTasks()))

const run = spawn(
  process.execPath,
  [join(root, 'manager/main.ts'), 'run', '--config', 'job.yml', '--task-file', 'tasks.json', '--force'],
  { cwd: folder, stdio: 'inherit' },
)
const ended = once(run, 'close')
const browser = await openChromium()
try {
  await waitForDone(1)
  const dashboard = await openDashboard({ file: dbFile })
  await waitForDone(TASKS * PHOTOGRAPHED_AT)
  await photograph(browser, dashboard.url, 'running', { colorScheme: 'light' })
  await photograph(browser, dashboard.url, 'running-dark', { colorScheme: 'dark' })
  await photograph(browser, dashboard.url, 'phone', { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 })
  await ended
  await photograph(browser, dashboard.url, 'ended', { colorScheme: 'light' }, zoomToTasks)
  await photograph(browser, dashboard.url, 'task', { colorScheme: 'light' }, openFailedTask)
  await dashboard.close()
  console.log(`A report of it: ${await writeHtmlReport(dbFile, { file: join(folder, 'report.html') })} bytes`)
} finally {
  await browser.close()
  run.kill('SIGTERM')
}

function makeTasks() {
  return Array.from({ length: TASKS }, (_, index) => {
    const airport = String.fromCharCode(65 + (index % 26), 65 + ((index * 7) % 26), 65 + ((index * 11) % 26))
    const month = `2026-${String((index % 12) + 1).padStart(2, '0')}`
    return { task_id: `${airport}-${month}-${index}`, data: { airport, month } }
  })
}

type Options = Parameters<typeof openPage>[2]

async function photograph(
  from: Browser,
  address: string,
  name: string,
  options: Options,
  prepare: (page: Page) => Promise<void> = async () => {},
): Promise<void> {
  const { page, close } = await openPage(from, address, { viewport: { width: 1440, height: 1180 }, ...options })
  await page.locator('#tasks tbody tr').first().waitFor()
  await page.locator('#slowest li').first().waitFor()
  await prepare(page)
  await page.waitForLoadState('domcontentloaded')
  await page.waitForTimeout(1500) // so that what is drawn later is there too
  await page.screenshot({ path: join(root, 'docs', `dashboard-${name}.png`) })
  console.log(`docs/dashboard-${name}.png`)
  await close()
}

async function zoomToTasks(page: Page): Promise<void> {
  for (let step = 0; step < 2; step++) await page.getByRole('button', { name: 'Zoom in' }).click()
}

async function openFailedTask(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Show failed tasks' }).click()
  await page.locator('#matching').filter({ hasNotText: '5,000' }).waitFor()
  await page.locator('#tasks tbody button').first().click()
  await page.locator('dialog details.attempt').first().waitFor()
}

async function waitForDone(count: number): Promise<void> {
  const deadline = Date.now() + 300_000
  while (countDone() < count) {
    if (Date.now() > deadline || run.exitCode !== null) throw new Error(`Only ${countDone()} tasks are done.`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

function countDone(): number {
  try {
    using sqlite = new DatabaseSync(dbFile, { readOnly: true, timeout: 5000 })
    return Number(sqlite.prepare(`SELECT count(*) AS n FROM tasks WHERE status = 'completed'`).get()?.n)
  } catch {
    return 0 // not made yet
  }
}
