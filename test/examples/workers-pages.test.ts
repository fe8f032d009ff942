// The pages of docs/workers about other languages, and their examples: every command is run, every result is checked.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Fields, openBench } from '../agent/agent-run.ts'
import { processesMentioning, until } from '../support/processes.ts'
import { checkout, commandsOf, ReaderFolder } from '../support/shell-blocks.ts'

const PRIMES = new Map<unknown, unknown>([
  ['primes-100', { below: 100, primes: 25 }],
  ['primes-10000', { below: 10_000, primes: 1229 }],
  ['primes-50000', { below: 50_000, primes: 5133 }],
])

interface Ran {
  readonly command: string
  readonly output: string
  /** By task. */
  readonly results: ReadonlyMap<unknown, unknown>
  readonly events: readonly Fields[]
}

/** Runs what a page says, one command after the other, in a folder with the files that it shows. */
async function runPage(document: string, extra: readonly string[] = []): Promise<readonly Ran[]> {
  const reader = new ReaderFolder(document)
  try {
    const ran: Ran[] = []
    let seen = 0
    for (const command of [...commandsOf(document), ...extra]) {
      const { exitCode, stdout, stderr } = await reader.run(command)
      assert.equal(exitCode, 0, `${command}\n${stdout}\n${stderr}`)
      const lines = readFileSync(reader.file('events.log'), 'utf8').trimEnd().split('\n')
      const events: Fields[] = lines.slice(seen).map(line => JSON.parse(line))
      seen = lines.length
      const results = new Map(events.map(event => [event.task_id, event.result]))
      ran.push({ command, output: stdout + stderr, results, events })
    }
    return ran
  } finally {
    await removed(reader)
  }
}

/** What an agent leaves to look after its tasks may take a moment longer than the agent. */
async function removed(reader: ReaderFolder): Promise<void> {
  try {
    await until('nothing runs on', () => processesMentioning(reader.path).length === 0, { withinMs: 5000 })
  } finally {
    reader.remove()
  }
}

const phpMissing =
  spawnSync('php', ['--version']).status === 0 ? false : 'php is not installed (apt-get install php-cli)'

describe('worker pages', { timeout: 120_000, concurrency: 2 }, () => {
  it('Python: the function, the example and the program for the Python package', async () => {
    const program = 'python3 examples/workers/python/program.py --task-file examples/workers/tasks.json'
    const page = readFileSync(join(checkout, 'docs/workers/python.md'), 'utf8')
    assert.ok(page.includes(program))
    assert.ok(page.includes('export PYTHONPATH=$(npx cloud-tasks-agent python-path)'))
    const [simple, primes, unchanged, ...others] = await runPage('docs/workers/python.md', [
      `export PYTHONPATH=$(npx cloud-tasks-agent python-path) && ${program}`,
    ])
    assert.equal(others.length, 0)
    assert.deepEqual(
      simple?.results,
      new Map([
        ['small', 3],
        ['large', 3_000_000],
      ]),
    )
    assert.match(simple?.output ?? '', /^adding for small$/m)
    assert.deepEqual(primes?.results, PRIMES)
    assert.match(primes?.output ?? '', /Task "primes-50000": 80 %/)
    assert.deepEqual(unchanged?.results, PRIMES)
  })

  it('PHP: lines, the example, and a process for each task', { skip: phpMissing }, async () => {
    const [simple, primes, oneShot, ...others] = await runPage('docs/workers/php.md')
    assert.equal(others.length, 0)
    assert.equal(simple?.results.get('small'), 3)
    const failed = simple?.events.find(event => event.task_id === 'wrong')
    assert.match(String(failed?.exception), /^TypeError: Unsupported operand types: array \+ int in .*worker\.php:7/)
    assert.deepEqual(primes?.results, PRIMES)
    assert.deepEqual(oneShot?.results, new Map([['hamlet', { words: 6 }]]))
    assert.match(oneShot?.output ?? '', /^hamlet has 6 words$/m)
  })

  it('any language: a process for each task, one for many, and a channel of its own', async () => {
    const [words, primes, lines, own, ...others] = await runPage('docs/workers/executables.md')
    assert.equal(others.length, 0)
    const counted = new Map([
      ['short', 2],
      ['long', 8],
    ])
    assert.deepEqual(words?.results, counted)
    assert.deepEqual(primes?.results, PRIMES)
    assert.deepEqual(lines?.results, PRIMES)
    assert.deepEqual([...(own?.results.values() ?? [])], ['done', 'done'])
    assert.match(own?.output ?? '', /^working on \{"task_id":"short"/m)
  })

  it('the same task in several languages has the same results', { skip: phpMissing }, async () => {
    const ran = await runPage('examples/workers/README.md')
    assert.equal(ran.length, 5)
    for (const { command, results } of ran) assert.deepEqual(results, PRIMES, command)
  })

  it('checkpoint.sh goes on on another VM where the first one was taken away', async () => {
    await using bench = await openBench()
    await bench.load([{ task_id: 'long', data: {} }])
    const task = ['--one-shot', '--', join(checkout, 'examples/workers/bash/checkpoint.sh')]
    const notice = ['--simulate-spot-termination-after', '1', '--simulate-spot-termination-delay', '6']
    await bench.run(...notice, '--retry-on-exit', ...task)
    const first = (await bench.events()).find(event => event.task_id === 'long')
    assert.deepEqual([first?.event_type, first?.exit_code, first?.retry], ['task_exited', 75, true])
    await bench.run('--max-num-tasks', '1', ...task)
    assert.deepEqual(
      (await bench.events()).map(event => event.result),
      [{ rows: 200, attempt: 2 }],
    )
  })

  it('a job file may name any of them', async () => {
    const reader = new ReaderFolder('docs/workers/python.md')
    try {
      writeFileSync(reader.file('count.sh'), 'read -r task; printf %s "$task" | wc -c')
      for (const [task, results] of [
        ['./worker.py:process_task', ['3', '3000000']],
        ['--one-shot -- bash count.sh', ['46', '58']],
      ] as const) {
        const name = `job-${results[0]}`
        const job = [
          'provider: local',
          'local:',
          `  job_id: ${name}`,
          'run:',
          `  task: ${task}`,
          '  max_instances: 1',
          '',
        ]
        writeFileSync(reader.file(`${name}.yml`), job.join('\n'))
        const ran = await reader.run(`npx cloud-tasks run --config ${name}.yml --task-file tasks.json`)
        assert.equal(ran.exitCode, 0, ran.stdout + ran.stderr)
        const script = `import sqlite3; print(*[r[0] for r in sqlite3.connect("${name}.db").execute("SELECT result FROM tasks ORDER BY rowid")])`
        const found = execFileSync('python3', ['-c', script], { cwd: reader.path, encoding: 'utf8' })
        assert.deepEqual(found.trim().split(' ').toSorted(), [...results].toSorted())
      }
    } finally {
      await removed(reader)
    }
  })
})
