// Writes the task file: `node make-tasks.ts [--tasks 10000] [--out tasks.json]`. The same file every time.
import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { additionTask } from './addition-task.ts'

const { values } = parseArgs({
  options: { tasks: { type: 'string', default: '10000' }, out: { type: 'string', default: 'tasks.json' } },
})
const taskCount = Number(values.tasks)
if (!Number.isInteger(taskCount) || taskCount < 1) {
  console.error(`--tasks must be a whole number of at least 1, got "${values.tasks}".`)
  process.exit(2)
}

await pipeline(Readable.from(renderTaskFile(taskCount)), createWriteStream(values.out))
console.log(`${values.out}: ${taskCount} tasks`)

function* renderTaskFile(count: number): Generator<string> {
  const perChunk = 1000
  for (let first = 1; first <= count; first += perChunk) {
    const numbers = Array.from({ length: Math.min(perChunk, count - first + 1) }, (_, offset) => first + offset)
    const lines = numbers.map(number => JSON.stringify(additionTask(number))).join(',\n')
    yield `${first === 1 ? '[\n' : ',\n'}${lines}`
  }
  yield '\n]\n'
}
