import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { jsonLines } from '../agent/agent-run.ts'
import { checkout } from '../support/shell-blocks.ts'

const folder = join(checkout, 'examples/workers/typescript')
const page = join(checkout, 'docs/workers/typescript.md')
const SOURCE = '--conditions=cloud-tasks-source' // not what `npm ci` has built, but what is written here

async function runExample(name: string, words: readonly string[] = []) {
  const work = await mkdtemp(join(tmpdir(), 'cloud-tasks-example-'))
  await writeFile(join(work, 'tasks.json'), JSON.stringify([{ task_id: 'three', data: { n: 3 } }]))
  const program = [SOURCE, '--disable-warning=ExperimentalWarning', join(folder, name), ...words]
  const { stdout } = await promisify(execFile)(process.execPath, program, { cwd: work, timeout: 30_000 })
  const events = await jsonLines(join(work, 'events.log')).catch(() => [])
  await rm(work, { recursive: true })
  return { stdout, events }
}

describe('examples of workers in TypeScript', { timeout: 90_000 }, () => {
  it('runs a function on a task file', async () => {
    const { events } = await runExample('function.ts', ['--task-file', 'tasks.json'])
    assert.deepEqual(
      events.map(({ task_id, result }) => [task_id, result]),
      [['three', { taskId: 'three', sum: 14 }]],
    )
  })

  it('runs a subclass with a route and middleware', async () => {
    const { stdout, events } = await runExample('class.ts')
    assert.equal(stdout, 'odd: a side must not be negative\n3 shapes\n')
    const results = new Map(events.map(({ task_id, result }) => [task_id, result]))
    assert.deepEqual(results.get('square'), { taskId: 'square', area: 4 })
    assert.deepEqual(results.get('cube'), { taskId: 'cube', volume: 8 })
  })

  it('counts primes through a queue', async () => {
    assert.equal((await runExample('queue.ts')).stdout, '9592\n4\nfailed: there is nothing below zero\n')
  })

  it('shows in the documentation what it runs here', async () => {
    const text = await readFile(page, 'utf8')
    const blocks = [...text.matchAll(/```ts title="([^"]+)"\n([\s\S]*?)```/g)]
    assert.equal(blocks.length, 4)
    for (const [, file = '', code = ''] of blocks) {
      const example = await readFile(join(checkout, file), 'utf8')
      assert.ok(example.endsWith(`\n${code}`), `${file} is not what the page shows`)
    }
  })
})
