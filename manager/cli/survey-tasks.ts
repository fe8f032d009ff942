// Reads a whole task file without loading it: counts and checks its tasks, finds the largest, and picks some by chance.
import { messageOfTask, type Task } from '../../core/task.ts'
import type { Objects } from '../../infra/provider.ts'
import { readTaskFile } from '../../infra/task-file/read-task-file.ts'
import type { Invocation } from './invocation.ts'

export interface Survey {
  readonly count: number
  readonly largest: { readonly taskId: string; readonly bodyBytes: number } | undefined
  /** In the order of the file. */
  readonly sample: readonly Task[]
}

export interface SurveyOptions {
  readonly taskFile: string
  readonly objects: Objects | undefined
  readonly sampleCount?: number
}

/** Constant memory: of the tasks only the sample is kept. */
export async function surveyTasks(
  { options }: Pick<Invocation, 'options'>,
  { taskFile, objects, sampleCount = 0 }: SurveyOptions,
): Promise<Survey> {
  const [skip, limit] = [options.count('start-task') ?? 0, options.count('limit') ?? 0]
  const batches = readTaskFile(taskFile, {
    ...(objects && { objects }),
    ...(skip > 0 ? { skip } : undefined),
    ...(limit > 0 ? { limit } : undefined),
  })
  let count = 0
  let largest: Survey['largest']
  const sample: { readonly place: number; readonly task: Task }[] = []
  for await (const batch of batches) {
    for (const task of batch) {
      const bodyBytes = Buffer.byteLength(JSON.stringify(messageOfTask(task)))
      if (largest === undefined || bodyBytes > largest.bodyBytes) largest = { taskId: task.taskId, bodyBytes }
      // Algorithm R: every task is as likely to be in the sample as any other.
      const place = count < sampleCount ? count : Math.floor(Math.random() * (count + 1))
      if (place < sampleCount) sample[place] = { place: count, task }
      count++
    }
  }
  return { count, largest, sample: sample.toSorted((a, b) => a.place - b.place).map(({ task }) => task) }
}
