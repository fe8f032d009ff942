// The tasks of a program's own, checked like those of a task file and handed on in batches.
import type { Task } from '../../core/task.ts'
import { parseTask } from '../../infra/task-file/parse-task.ts'
import type { OwnTasks } from '../connections.ts'
import type { SourceTask, TaskSource } from './worker-options.ts'

const NAME = 'task source'
const BATCH = 1000 // of those that are there at once; what comes slowly is handed on one by one

/** A path or URL for `--task-file`, or the tasks. */
export function openSource(source: TaskSource): string | OwnTasks {
  if (typeof source === 'string') return source
  if (source instanceof URL) return source.href
  return { name: NAME, batches: batches(typeof source === 'function' ? source : () => source) }
}

async function* batches(open: () => Iterable<SourceTask> | AsyncIterable<SourceTask>): AsyncGenerator<readonly Task[]> {
  let count = 0
  const check = (item: unknown) => parseTask(item, { fileName: NAME, locate: () => ({ line: count }) })
  const items = open()
  if (Symbol.asyncIterator in items) {
    for await (const item of items) {
      count++
      yield [check(item)]
    }
    return
  }
  let batch: Task[] = []
  for (const item of items) {
    count++
    batch.push(check(item))
    if (batch.length === BATCH) {
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}
