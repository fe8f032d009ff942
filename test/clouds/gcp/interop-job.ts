// A job that the Python system and we share, and all that must be true of it in the end, whoever loaded, ran and collected it.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type Ended, openSharedJob, type SharedJob } from '../../support/python-peer.ts'
import { checkEvents, checkTables, completed, dataIn, expectedOutcomes, outcomesIn } from './interop-outcomes.ts'
import { expectedData, type InteropTasks, taskFile } from './interop-tasks.ts'

const JOB = ['--config', 'job.yml', '--db-file', 'job.db']
export const LOAD = ['load_queue', ...JOB, '--task-file', 'tasks.json', '--force']
export const COLLECT = ['monitor_event_queue', ...JOB]
export const SLOTS = ['--num-simultaneous-tasks', '4']

export async function openInteropJob(t: TestContext, tasks: InteropTasks): Promise<SharedJob> {
  const job = await openSharedJob()
  t.after(() => job.close())
  job.write('tasks.json', taskFile(tasks))
  return job
}

export function ended({ exitCode, output }: Ended): void {
  assert.equal(exitCode, 0, output)
}

/** Every row and event, what each system reads in the database, and that nothing is left in the queues. */
export async function checkJob(job: SharedJob, tasks: InteropTasks, collector: 'ours' | 'theirs'): Promise<void> {
  const db = job.file('job.db')
  const expected = expectedOutcomes(tasks)
  const outcomes = outcomesIn(db)
  // The Python monitor believes what comes last, and that may be the older event: see docs/compatibility.md.
  if (collector === 'theirs' && outcomes.get('again')?.retry === 1) {
    expected.set('again', { ...completed('"not yet"'), retry: 1 })
  }
  assert.deepEqual(outcomes, expected)
  assert.deepEqual(dataIn(db), expectedData(tasks))
  checkTables(db)
  const events = checkEvents(db)

  const counts = { completed: expected.size - 3, exception: 1, exited_without_status: 1, timed_out: 1 }
  const theirView = await job.readByTheirs('job.db')
  assert.deepEqual([theirView.total, theirView.complete, theirView.counts], [expected.size, true, counts])
  assert.equal(theirView.events, events.ours + events.theirs)
  const ourView = JSON.parse((await job.ours('report', ...JOB, '--json')).output)
  const some = Object.entries(ourView.counts).filter(([, count]) => count !== 0)
  assert.deepEqual(Object.fromEntries(some), counts)
  const { min_time: min, max_time: max } = theirView.statistics.time_stats
  assert.deepEqual([ourView.elapsedSeconds.min, ourView.elapsedSeconds.max], [min, max])

  for (const queue of ['interop', 'interop-events']) {
    const { output } = await job.ours('show_queue', '--config', 'job.yml', '--queue-name', queue)
    assert.match(output, /Queue depth: 0\b/, `${queue}: ${output}`)
  }
}
