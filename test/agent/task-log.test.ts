import assert from 'node:assert/strict'
import { ftruncateSync, readdirSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, it } from 'node:test'
import { openTaskLog, type TaskLog } from '../../agent/task-log.ts'
import { type Fields, fixture, openBench } from './agent-run.ts'

let count = 0

function opened(): TaskLog & { readonly descriptor: number } {
  const log = openTaskLog(`test-${process.pid}-${count++}`)
  assert.ok(typeof log.descriptor === 'number')
  return log as TaskLog & { readonly descriptor: number }
}

/** As a task that prints; the agent shows it on its own stdout, which is not this test's concern. */
function print(log: { readonly descriptor: number }, text: string): void {
  writeSync(log.descriptor, text)
}

/** Calls `show` with the program's stdout put aside, and returns what it showed. */
function shown(log: TaskLog): string {
  const { write } = process.stdout
  let text = ''
  process.stdout.write = chunk => {
    text += Buffer.from(chunk as Uint8Array).toString()
    return true
  }
  try {
    log.show()
  } finally {
    process.stdout.write = write
  }
  return text
}

describe('the log of a slot', () => {
  it('has no name that could stay behind', () => {
    const log = opened()
    assert.deepEqual(
      readdirSync(tmpdir()).filter(name => name.startsWith(`cloud-tasks-test-${process.pid}-`)),
      [],
    )
    log.close()
  })

  it('gives what was printed between two positions, and shows everything once', () => {
    const log = opened()
    print(log, 'before\n')
    const from = log.position()
    print(log, 'the task: é 🚀\n')
    const to = log.position()
    print(log, 'after\n')
    assert.equal(log.between(from, to), 'the task: é 🚀\n')
    assert.equal(log.between(to, to), undefined)
    assert.equal(shown(log), 'before\nthe task: é 🚀\nafter\n')
    assert.equal(shown(log), '')
    log.close()
    assert.equal(log.between(from, to), undefined, 'closed: nothing is known, and nothing fails')
  })

  it('does not show again what the agent has logged itself', () => {
    const log = opened()
    const from = log.position()
    log.append('said on the channel')
    assert.equal(shown(log), '')
    assert.equal(log.between(from, log.position()), 'said on the channel\n')
    log.close()
  })

  it('stays small under a flood, keeps the beginning and the end, and goes on after it', () => {
    const log = opened()
    const from = log.position()
    for (let line = 0; line < 3000; line++) print(log, `line ${line} ${'x'.repeat(1000)}\n`)
    const text = log.between(from, log.position()) ?? ''
    assert.match(text, /^line 0 /)
    assert.match(text, /… \(left out\) …\n.*\nline 2999 x+\n$/s)
    assert.ok(text.length < 70_000)
    const first = shown(log)
    assert.ok(first.length < 300_000, `${first.length} shown`)
    const carriedFrom = log.position() - 20
    print(log, 'news\n')
    assert.equal(shown(log), 'news\n')
    assert.equal(log.between(carriedFrom, log.position()), `${'x'.repeat(19)}\nnews\n`)
    log.close()
  })

  it('goes on when a task cuts the file by opening /dev/stderr afresh', () => {
    const log = opened()
    print(log, 'a long line that is cut\n')
    shown(log)
    const from = log.position()
    ftruncateSync(log.descriptor)
    print(log, 'new\n')
    assert.equal(log.between(from, log.position()), 'new\n')
    assert.equal(shown(log), 'new\n')
    log.close()
  })
})

describe('the log of a failed attempt', { timeout: 60_000 }, () => {
  it('ends in the event, is longer in the object store, and belongs to one of many pipelined tasks', async () => {
    await using bench = await openBench()
    const quiet = (from: number) => Array.from({ length: 200 }, (_, i) => ({ task_id: `t${from + i}`, data: {} }))
    const loud = { task_id: 'loud', data: { lines: 1000, fail: true } }
    const neighbour = { task_id: 'neighbour', data: { lines: 2 } }
    const brief = { task_id: 'brief', data: { lines: 1, fail: true } }
    await bench.load([...quiet(0), neighbour, brief, neighbour, loud, neighbour, ...quiet(200)])
    const { code, stderr } = await bench.run('--max-num-tasks', '405', fixture('prints-lines.mjs'))
    assert.equal(code, 0, stderr)
    const failed = new Map((await bench.events()).filter(event => event.log_tail).map(event => [event.task_id, event]))
    assert.deepEqual([...failed.keys()].toSorted(), ['brief', 'loud'])
    assert.equal(failed.get('brief')?.log_tail, 'brief: line 0\n')
    assert.equal(failed.get('brief')?.log_url, undefined)
    const { log_tail: tail, log_url: url } = failed.get('loud') as Fields
    assert.match(String(tail), /^loud: line \d+\n(loud: line \d+\n)*loud: line 999\n$/)
    assert.ok(String(tail).length <= 4000)
    let whole = ''
    for await (const chunk of bench.provider.openObjects().read(String(url))) whole += Buffer.from(chunk)
    assert.equal(whole, Array.from({ length: 1000 }, (_, i) => `loud: line ${i}\n`).join(''))
  })
})
