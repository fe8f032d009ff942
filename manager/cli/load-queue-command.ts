// load_queue: tasks of a file into the database and the queue; VMs and results are the business of other commands.
import { totalCount } from '../job-db-status.ts'
import { resendLost } from '../resend-lost.ts'
import { EXIT_CODES, watchInterrupts } from './interrupts.ts'
import type { Invocation } from './invocation.ts'
import { openJob } from './open-job.ts'
import { reopenJob, showLoading, startAfresh } from './prepare-job.ts'

export async function loadQueueCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  await using job = await openJob(invocation)
  using interrupts = watchInterrupts()
  const stop = new AbortController()
  const loading = load()
  loading.catch(() => {}) // reported through the race, unless an interrupt won it
  const end = await Promise.race([loading, interrupts.next()])
  terminal.showBlock([])
  if (typeof end === 'number') return end
  stop.abort()
  terminal.log('WARNING', 'Interrupted. To send the rest: the same command with --continue.')
  process.exit(EXIT_CODES[end]) // loading may still be reading the file, and nobody waits for it any more

  async function load(): Promise<number> {
    const prepared = options.has('continue')
      ? await reopenJob(job, invocation, { vms: false })
      : await startAfresh(job, invocation, { vms: false })
    if (prepared === undefined) return 0
    const { db, send } = prepared
    try {
      const { tasks, events } = job.queues
      // Before anything is sent: afterwards the queue would not be empty, and nothing could be proved lost.
      const lostCount = options.has('continue') ? await resendLost({ db, tasks, events, nobodyLoads: true }) : 0
      if (lostCount > 0) terminal.print(`${count(lostCount)} tasks were in no queue any more and have been sent again`)
      await send(stop.signal, showLoading(invocation))
      const total = totalCount(db.counts())
      terminal.showBlock([])
      terminal.print(`Loaded ${count(total)} tasks into queue '${job.queues.tasks.name}' and ${db.file}`)
      return 0
    } finally {
      db.close()
    }
  }
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
