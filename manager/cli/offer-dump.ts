// Asks after an interrupt whether the tasks should be written as task files, one for each status.
import { dumpTasks } from '../dump-tasks.ts'
import type { JobDb } from '../job-db.ts'
import type { Invocation } from './invocation.ts'

/** Nobody to ask means no. */
export async function offerDump(db: JobDb, jobId: string, { terminal }: Invocation): Promise<void> {
  for (;;) {
    const answer = await terminal.ask('Dump the tasks as task files, one for each status? (Y/N) ')
    const word = answer?.trim().toLowerCase()
    if (word === undefined || word === 'n' || word === 'no') return
    if (word === 'y' || word === 'yes') break
  }
  for (const { path, taskCount } of dumpTasks(db, { folder: '.', jobId })) {
    terminal.print(`${path} (${taskCount.toLocaleString('en-US')} tasks)`)
  }
}
