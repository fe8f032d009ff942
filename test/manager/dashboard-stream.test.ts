// What the page is told without asking, read as a browser's EventSource reads it.
import assert from 'node:assert/strict'
import { type ClientRequest, request } from 'node:http'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { vmId } from '../../core/ids.ts'
import type { JobView, SeriesView, StreamEventName, VmsView } from '../../manager/dashboard/api.ts'
import { DashboardJob, type Page } from '../support/dashboard-job.ts'

const TIMEOUT = { timeout: 60_000 }
const WAIT_MS = 20_000

interface Told {
  readonly event: StreamEventName
  readonly data: unknown
}

class Listener {
  readonly told: Told[] = []
  readonly #sent: ClientRequest
  #wake = () => {}

  constructor(page: Page) {
    this.#sent = request({ host: '127.0.0.1', port: page.port, path: '/api/stream' }, response => {
      let rest = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        const blocks = (rest + text).split('\n\n')
        rest = blocks.pop() ?? ''
        for (const block of blocks) this.#hear(block)
      })
    })
    this.#sent.on('error', () => {}) // ended by the test
    this.#sent.end()
  }

  /** The next event of this name that is as wanted, of those told from now on or before and not asked for yet. */
  async next<View>(event: StreamEventName, good: (view: View) => boolean = () => true): Promise<View> {
    const deadline = Date.now() + WAIT_MS
    for (;;) {
      const at = this.told.findIndex(told => told.event === event && good(told.data as View))
      if (at >= 0) return this.told.splice(0, at + 1).at(-1)?.data as View
      assert.ok(Date.now() < deadline, `waited for "${event}"; told: ${this.told.map(told => told.event).join(', ')}`)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, 500)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  close(): void {
    this.#sent.destroy()
  }

  #hear(block: string): void {
    const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1] ?? ''
    this.told.push({ event: field('event') as StreamEventName, data: JSON.parse(field('data')) })
    this.#wake()
  }
}

describe('the stream of a dashboard', TIMEOUT, () => {
  let job: DashboardJob
  let listeners: Listener[]
  beforeEach(() => {
    job = new DashboardJob()
    listeners = []
  })
  afterEach(() => {
    for (const listener of listeners) listener.close()
    return job.remove()
  })

  function listen(page: Page): Listener {
    const listener = new Listener(page)
    listeners.push(listener)
    return listener
  }

  it('begins with the whole state, and then tells what changes to all who listen', async () => {
    job.load(['a', 'b'])
    const page = await job.open()
    const [one, two] = [listen(page), listen(page)]
    assert.equal((await one.next<JobView>('job')).total, 2)
    assert.ok((await one.next<SeriesView>('series')).t.length > 0)
    job.collect(['completed', 'a', { instance_id: 'vm-1' }])
    const vm = { id: vmId('vm-1'), jobId: 'page', state: 'running', instanceType: 't', zone: 'z', spot: true } as const
    job.db.saveVms([{ ...vm, vcpuCount: 1, priceUsdPerHour: 1, launchedAt: new Date() }], new Date())
    for (const listener of [one, two]) {
      await listener.next<JobView>('job', view => view.doneCount === 1)
      const { vms } = await listener.next<VmsView>('vms', view => view.vms.some(row => row.completed === 1))
      assert.equal(vms[0]?.type, 't')
    }
    two.close()
    job.collect(['completed', 'b', {}])
    await one.next<JobView>('job', view => view.finishedAt !== undefined)
  })

  it('is quiet while nothing changes', async () => {
    job.load(['a'])
    job.collect(['completed', 'a', {}])
    const page = await job.open()
    await page.indexed()
    const listener = listen(page)
    await listener.next<JobView>('job', view => view.finishedAt !== undefined)
    await new Promise(resolve => setTimeout(resolve, 2500)) // silence can only be waited for
    listener.told.length = 0
    await new Promise(resolve => setTimeout(resolve, 3000))
    assert.deepEqual(
      listener.told.map(told => told.event),
      [],
    )
  })

  it('ends with the server, and at once', async () => {
    const page = await job.open()
    const listener = listen(page)
    await listener.next('job')
    const before = Date.now()
    await job.closeAll()
    assert.ok(Date.now() - before < 3000)
    await assert.rejects(page.job())
  })
})
