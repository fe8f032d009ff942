// A headless Chromium for the tests of the page, and what a page must never do: complain, or fetch from elsewhere.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import axe from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/snap/bin/chromium']
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const STEP_LIMIT_MS = 20_000

const executablePath = [process.env.CHROMIUM_PATH, ...PLACES].find(path => path !== undefined && existsSync(path))

/** For `skip` of a test: why it cannot run here, or false. */
export const withoutChromium: string | false =
  executablePath === undefined ? 'no Chromium here: apt-get install chromium, or set CHROMIUM_PATH' : false

export async function openChromium(): Promise<Browser> {
  if (executablePath === undefined) throw new Error('No Chromium was found.')
  return await chromium.launch({ executablePath, args: FLAGS })
}

export interface WatchedPage {
  readonly page: Page
  /** What the console and the network had to complain about so far; anything fetched from another host is among it. */
  readonly complaints: readonly string[]
  close(): Promise<void>
}

/** A page of its own profile. */
export async function openPage(
  browser: Browser,
  address: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
  context.setDefaultTimeout(STEP_LIMIT_MS)
  const page = await context.newPage()
  const complaints: string[] = []
  const origin = new URL(address).origin
  // Another program on this machine made or removed a network interface; the page asks again.
  const complain = (text: string) => text.includes('ERR_NETWORK_CHANGED') || complaints.push(text)
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') complain(message.text())
  })
  page.on('pageerror', error => complain(error.message))
  page.on('requestfailed', request => {
    if (!request.url().endsWith('/api/stream')) complain(`${request.url()}: ${request.failure()?.errorText}`)
  })
  page.on('request', request => {
    const { protocol, origin: asked } = new URL(request.url())
    if (protocol !== 'data:' && asked !== origin) complain(`fetched ${request.url()}`)
  })
  await eventually(async () => void (await page.goto(address)))
  await page.locator('#percent').filter({ hasText: '%' }).waitFor()
  return { page, complaints, close: () => context.close() }
}

/** What axe finds against the WCAG 2 rules and its best practices, as sentences. */
export async function auditPage(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source)
  const found: readonly AxeViolation[] = await page.evaluate(
    'axe.run(document, { resultTypes: ["violations"] }).then(result => result.violations)',
  )
  return found.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(node => node.target.join(' ')).join(', ')}`)
}

interface AxeViolation {
  readonly id: string
  readonly help: string
  readonly nodes: readonly { readonly target: readonly string[] }[]
}

/** The count of each status that the page names, read in one moment. */
export async function countsOn(page: Page): Promise<Readonly<Record<string, number>>> {
  const shown: readonly (readonly [string, string])[] = await page.evaluate(
    `[...document.querySelectorAll('#progress li:not([hidden]) [data-status]')].map(e => [e.dataset.status, e.textContent])`,
  )
  return Object.fromEntries(shown.map(([status, text]) => [status, Number(text.replaceAll(',', ''))]))
}

/** Asks again until it holds; at the end of its time fails with the last difference. */
export async function eventually(check: () => Promise<void>, limitMs = EVENTUALLY_MS): Promise<void> {
  const deadline = Date.now() + limitMs
  for (;;) {
    try {
      await check()
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

const EVENTUALLY_MS = 10_000

/** For those who look at the pages: with PICTURES set to a folder, it is filled. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env.PICTURES
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
}
