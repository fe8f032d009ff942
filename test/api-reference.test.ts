import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { promisify } from 'node:util'
import { checkout } from './support/shell-blocks.ts'

const tool = join(checkout, 'scripts/api-reference')
const run = promisify(execFile)

it('writes an API reference of everything that is public, without a warning', { timeout: 240_000 }, async () => {
  const typedoc = join(tool, 'node_modules/typedoc/bin/typedoc')
  if (!existsSync(typedoc)) await run('npm', ['ci', '--no-audit', '--no-fund', '--prefix', tool], { timeout: 120_000 })
  const out = await mkdtemp(join(tmpdir(), 'cloud-tasks-api-'))
  try {
    // A warning makes it fail: see typedoc.json.
    const words = [typedoc, '--options', join(tool, 'typedoc.json'), '--out', out]
    await run(process.execPath, words, { cwd: checkout, timeout: 120_000 })
    const text = await readFile(join(out, 'api.md'), 'utf8')
    for (const name of [
      'Worker',
      'TaskQueue',
      'Task',
      'Result',
      'TaskError',
      'TaskFailed',
      'TaskWorker',
      'WorkerOptions',
    ])
      assert.match(text, new RegExp(`^### ${name}(\\\\\\\\<|$)`, 'm'))
  } finally {
    await rm(out, { recursive: true })
  }
})
