// requeue: tasks that failed for good go back into the queue; `run --continue` or any VM of the job does them again.
import type { TaskStatus } from '../job-db-status.ts'
import { requeueFailed } from '../requeue.ts'
import { collectLastEvents } from './end-job.ts'
import type { Invocation } from './invocation.ts'
import { openJob } from './open-job.ts'
import { openExistingDb } from './prepare-job.ts'

const FAILURES: readonly TaskStatus[] = ['exception', 'timed_out', 'exited_without_status']

export async function requeueCommand(invocation: Invocation): Promise<number> {
  const { options, terminal } = invocation
  await using job = await openJob(invocation)
  const db = openExistingDb(job, invocation)
  try {
    const { tasks, dead } = job.queues
    await (await job.openStack()).up(job.stackSpec) // the end of a job deletes its queues
    await collectLastEvents(job, db) // an event of the failure that came later would set the task to failed again
    const statuses: readonly TaskStatus[] = options.has('all-failures') ? ['failed', ...FAILURES] : ['failed']
    const { letterCount, rowCount, unreadableCount } = await requeueFailed({ db, tasks, dead, statuses })
    const count = letterCount + rowCount
    if (unreadableCount > 0) {
      terminal.log('WARNING', `${unreadableCount} messages of queue '${dead.name}' are no tasks and were left there`)
    }
    if (options.has('json')) {
      terminal.print(JSON.stringify({ requeued: count, from_dead_letters: letterCount, unreadable: unreadableCount }))
    } else if (count === 0) terminal.print(`No task of '${job.jobId}' is to be requeued.`)
    else {
      terminal.print(`${count.toLocaleString('en-US')} tasks are in queue '${tasks.name}' again.`)
      terminal.print('To run them: cloud-tasks run --continue with the same options')
    }
    return 0
  } finally {
    db.close()
  }
}
