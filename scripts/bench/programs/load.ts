// The loader as the CLI runs it: task file → job DB and queue. Answers its rate and its peak memory.
import { readTaskFile } from '../../../infra/task-file/read-task-file.ts'
import { openJobDb } from '../../../manager/job-db.ts'
import { loadTasks } from '../../../manager/load-tasks.ts'
import { JOB_ID, jobDbFile, LEASE_SECONDS, openLocalCloud } from '../place.ts'

const [folder = '', taskFile = ''] = process.argv.slice(2)
const provider = await openLocalCloud(folder)
const queue = provider.openQueue(JOB_ID, { leaseSeconds: LEASE_SECONDS })
const db = openJobDb(jobDbFile(folder), { mode: 'create' })

const startedAt = performance.now()
const { loadedCount } = await loadTasks({
  batches: readTaskFile(taskFile),
  db,
  queue,
  maxBodyBytes: provider.limits.maxBodyBytes,
})
db.close()
await provider.close()
const seconds = (performance.now() - startedAt) / 1000
const maxRssMb = process.resourceUsage().maxRSS / 1024
process.stdout.write(`${JSON.stringify({ perSecond: loadedCount / seconds, seconds, maxRssMb, loadedCount })}\n`)
