import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ROWS, runInTerminal } from '../support/pseudo-terminal.ts'

const PROGRAM = fileURLToPath(new URL('../fixtures/shows-progress.ts', import.meta.url))

describe('the terminal', () => {
  it('never tears a log line or the block, whatever is written and however the screen is resized', {
    timeout: 60_000,
  }, async () => {
    const { exitCode, lines, sizes } = await runInTerminal([process.execPath, PROGRAM])
    assert.equal(exitCode, 0, lines.join('\n'))
    assert.deepEqual(sizes, [80, 100, 44, 160, 12])
    const written = lines.filter(line => /printed|logged/.test(line))
    assert.equal(written.length, 4 * 60)
    for (const [index, line] of written.entries()) {
      const letters = (index + 1) % 90
      const expected =
        index % 3 === 0 ? `printed ${index} ${'p'.repeat(letters)}.` : `INFO - logged ${index} ${'l'.repeat(letters)}.`
      assert.ok(line === expected || line.endsWith(` ${expected}`), `${line}\ninstead of\n${expected}`)
      assert.match(line, index % 3 === 0 ? /^printed/ : /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO - logged/)
    }
    const finished = lines.findIndex(line => line.endsWith('finished'))
    const block = lines.slice(finished + 1)
    assert.equal(block.length, ROWS, 'no more lines than the screen has, the one of the cursor among them')
    assert.equal(block[0], 'block 241 a', 'as wide as the screen has room for')
    assert.equal(block.at(-1), '')
    assert.ok(!lines.slice(0, finished).some(line => /block|▓/.test(line)), 'no block is left behind')
  })
})
