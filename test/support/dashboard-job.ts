// A job database written through the real JobDb, and the dashboard's server over it as a browser would ask it.
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { taskId } from '../../core/ids.ts'
import type { JobView } from '../../manager/dashboard/api.ts'
import { type Dashboard, type DashboardOptions, openDashboard } from '../../manager/dashboard/server.ts'
import { type JobDb, openJobDb } from '../../manager/job-db.ts'

export class DashboardJob {
  readonly folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-dashboard-'))
  readonly file = join(this.folder, 'job.db')
  readonly db: JobDb
  readonly #opened: Dashboard[] = []
  #eventCount = 0

  constructor() {
    this.db = openJobDb(this.file, { mode: 'create' })
    this.db.saveJob({ jobId: 'page', provider: 'local', taskFile: 'tasks.json', loadState: 'loaded' })
  }

  /** Tasks that are in the queue. */
  load(ids: readonly string[], data: (id: string) => object = () => ({})): void {
    this.db.insertPending(ids.map(id => ({ taskId: taskId(id), data: { ...data(id) } })))
    for (const batch of this.db.pendingBatches()) this.db.markQueued(batch, new Date('2026-01-01T00:00:00Z'))
  }

  /** `[type without task_, task id, other fields]`; each a second after the one before. */
  collect(...events: readonly (readonly [string, string, object?])[]): void {
    const raws = events.map(([type, id, fields]) => {
      const count = ++this.#eventCount
      const timestamp = `${new Date(Date.UTC(2026, 0, 1, 0, 0, count)).toISOString().slice(0, -1)}000+00:00`
      const head = { timestamp, hostname: 'host', event_type: `task_${type}`, task_id: id }
      return JSON.stringify({ ...head, retry: false, elapsed_time: 1, attempt: 1, event_id: `e${count}`, ...fields })
    })
    this.db.applyEvents(raws, new Date('2026-01-01T01:00:00Z'))
  }

  async open(options: Partial<DashboardOptions> = {}): Promise<Page> {
    const dashboard = await openDashboard({ file: this.file, ...options })
    this.#opened.push(dashboard)
    return new Page(dashboard.url)
  }

  async closeAll(): Promise<void> {
    await Promise.all(this.#opened.map(dashboard => dashboard.close()))
  }

  async remove(): Promise<void> {
    await this.closeAll()
    this.db.close()
    rmSync(this.folder, { recursive: true })
  }
}

export interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

export interface AskOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

const ASK_MS = 10_000
const WAIT_MS = 20_000

/** What a browser with this address in its bar can do, and a bit more: any header. */
export class Page {
  readonly origin: string
  readonly port: number
  readonly token: string | undefined

  constructor(address: string) {
    const url = new URL(address)
    this.origin = url.origin
    this.port = Number(url.port)
    this.token = /^#token=(.+)$/.exec(url.hash)?.[1]
  }

  ask(path: string, { method = 'GET', headers = {}, body }: AskOptions = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.port, path, method, headers, timeout: ASK_MS }
      const sent = request(options, async response => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: await text(response) })
      })
      sent.on('timeout', () => sent.destroy(new Error(`${method} ${path} was not answered in ${ASK_MS} ms.`)))
      sent.on('error', reject)
      sent.end(body)
    })
  }

  /** The JSON of an answer that must be a good one; as the caller knows it to be. */
  async get<View>(path: string): Promise<View> {
    const { status, body } = await this.ask(path)
    if (status !== 200) throw new Error(`GET ${path} was answered ${status}: ${body}`)
    return JSON.parse(body) as View
  }

  job(): Promise<JobView> {
    return this.get('/api/job')
  }

  order(request: object, token = this.token): Promise<Answer> {
    return this.ask('/api/control', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(request),
    })
  }

  /** Polls until an answer is as wanted. Bounded: a test that waits in vain says for what. */
  async until<View>(what: string, path: string, good: (view: View) => boolean): Promise<View> {
    const deadline = Date.now() + WAIT_MS
    for (;;) {
      const view = await this.get<View>(path)
      if (good(view)) return view
      if (Date.now() > deadline) throw new Error(`Waited in vain for: ${what}. Last: ${JSON.stringify(view)}`)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }

  /** All that is in the database has been read. */
  indexed(): Promise<JobView> {
    return this.until<JobView>('the index', '/api/job', job => job.indexedShare === 1)
  }
}
