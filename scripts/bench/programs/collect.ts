// The collector as the CLI runs it: events queue → job DB, until every task is finished. Answers its rate.
// With --dashboard: beside a dashboard that has read all so far, and a page that listens.
import { eventQueueName } from '../../../core/names.ts'
import { collectEvents } from '../../../manager/collector.ts'
import type { JobView } from '../../../manager/dashboard/api.ts'
import { openDashboardBeside } from '../../../manager/dashboard/open-beside.ts'
import { openJobDb } from '../../../manager/job-db.ts'
import { JOB_ID, jobDbFile, LEASE_SECONDS, openLocalCloud } from '../place.ts'

const [folder = '', option] = process.argv.slice(2)
const provider = await openLocalCloud(folder)
const queue = provider.openQueue(eventQueueName(JOB_ID), { leaseSeconds: LEASE_SECONDS })
const db = openJobDb(jobDbFile(folder), { mode: 'existing' })
const totalCount = db.unfinishedCount()

const closeDashboard = option === '--dashboard' ? await openDashboard() : async () => {}

// From the end of the first batch to the end of the last: the wait for the first event is not the collector's.
let firstAt = 0
let lastAt = 0
let firstLeft = 0
await collectEvents({
  queue,
  db,
  signal: AbortSignal.timeout(300_000),
  untilFinished: true,
  onBatch: () => {
    lastAt = performance.now()
    if (firstAt !== 0) return
    firstAt = lastAt
    firstLeft = db.unfinishedCount()
  },
})
const unfinishedCount = db.unfinishedCount()
await closeDashboard()
db.close()
await provider.close()
const seconds = (lastAt - firstAt) / 1000
const maxRssMb = process.resourceUsage().maxRSS / 1024
const perSecond = (firstLeft - unfinishedCount) / seconds
process.stdout.write(`${JSON.stringify({ perSecond, seconds, maxRssMb, totalCount, unfinishedCount })}\n`)

async function openDashboard(): Promise<() => Promise<void>> {
  const dashboard = await openDashboardBeside({ file: jobDbFile(folder) }, sentence => console.error(sentence))
  for (let share = 0; share < 1; ) {
    const job = (await (await fetch(new URL('/api/job', dashboard.url))).json()) as JobView
    share = job.indexedShare
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  const page = new AbortController()
  const { body } = await fetch(new URL('/api/stream', dashboard.url), { signal: page.signal })
  body?.pipeTo(new WritableStream()).catch(() => {}) // ends with the page
  return async () => {
    page.abort()
    await dashboard.close()
  }
}
