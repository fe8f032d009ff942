// Writes the task file that every measurement uses: N trivial tasks, about 60 bytes each.
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'

export async function writeTaskFile(file: string, count: number): Promise<void> {
  const stream = createWriteStream(file)
  stream.write('[')
  const chunkTasks = 10_000
  for (let from = 0; from < count; from += chunkTasks) {
    let text = ''
    for (let index = from; index < Math.min(from + chunkTasks, count); index++) {
      text += `${index === 0 ? '' : ',\n'}{"task_id":"${taskName(index)}","data":{"number":${index}}}`
    }
    if (!stream.write(text)) await new Promise<void>(resolve => stream.once('drain', resolve))
  }
  stream.end(']\n')
  await finished(stream)
}

export function taskName(index: number): string {
  return `task-${String(index).padStart(8, '0')}`
}
