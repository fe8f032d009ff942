// Programs written for the Python package rms-cloud-tasks run unchanged: the package `cloud_tasks` is ours.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { SETTING_ENTRIES } from '../../core/settings.ts'
import { JobFolder } from '../support/job-folder.ts'
import { type AgentBench, eventually, jsonLines, openBench } from './agent-run.ts'

const PACKAGE = join(import.meta.dirname, '../../agent/python')
const WORKER = join(import.meta.dirname, '../fixtures/python/peer_worker.py')
const LIMIT_MS = 20_000

function startWorker(bench: AgentBench, words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const results = join(bench.folder, 'results')
  mkdirSync(results, { recursive: true })
  const child = spawn('python3', [WORKER, ...words], {
    cwd: bench.folder,
    env: { ...process.env, PYTHONPATH: PACKAGE, ADDITION_OUTPUT_DIR: results, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  })
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    printed += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    printed += text
  })
  const exit = new Promise<{ code: number | null; printed: string }>(resolve => {
    child.on('close', code => resolve({ code, printed }))
  })
  return { child, exit, printed: () => printed, results }
}

function onQueue({ folder }: AgentBench, ...words: string[]): string[] {
  return ['--provider', 'local', '--local-root', folder, '--job-id', 'job', ...words]
}

const additions = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ task_id: `add-${i}`, data: { num1: i, num2: 2 } }))

describe('a program written for the Python package', { timeout: 90_000, concurrency: 2 }, () => {
  it('drains a queue when it is started as it always was', async () => {
    await using bench = await openBench()
    await bench.load(additions(20))
    const words = onQueue(bench, '--num-simultaneous-tasks', '2', '--max-num-tasks', '20', '--is-spot')
    const worker = startWorker(bench, words)
    const { code, printed } = await worker.exit
    assert.equal(code, 0, printed)
    assert.equal(printed.match(/start has returned/g)?.length, 1, 'only the parent goes on')
    const events = await bench.events()
    assert.deepEqual(
      events.map(event => event.result).toSorted((a, b) => Number((a as number[])[0]) - Number((b as number[])[0])),
      additions(20).map(({ data }) => [data.num1 + 2, 2, true]),
    )
    assert.match(
      readFileSync(join(worker.results, 'add-7.txt'), 'utf8'),
      /^Process \d+ on .*\nTask add-7: 7 \+ 2 = 9\n$/,
    )
  })

  it('takes its tasks from a function', async () => {
    await using bench = await openBench()
    const worker = startWorker(bench, [], { ADDITION_SOURCE: 'factory', ADDITION_MAX_TASKS: '2500' })
    const { code, printed } = await worker.exit
    assert.equal(code, 0, printed)
    assert.equal((await jsonLines(join(bench.folder, 'events.log'))).length, 2500)
    assert.equal(readdirSync(worker.results).length, 2500)
  })

  it('fails when that function does, with its traceback', async () => {
    await using bench = await openBench()
    const env = { ADDITION_SOURCE: 'factory', ADDITION_MAX_TASKS: '100', ADDITION_FAIL_AT: '50' }
    const { code, printed } = await startWorker(bench, [], env).exit
    assert.equal(code, 1)
    assert.match(printed, /Traceback .*RuntimeError: no more numbers/s)
    assert.equal((await jsonLines(join(bench.folder, 'events.log'))).length, 50, 'what came before is done')
  })

  it('takes its tasks from a file, and its own options beside ours', async () => {
    await using bench = await openBench()
    const file = join(bench.folder, 'tasks.json')
    writeFileSync(file, JSON.stringify(additions(3)))
    const env = { ADDITION_SOURCE: 'file', ADDITION_FILE: file }
    const { code, printed } = await startWorker(bench, ['--scale', '10', '--event-log-file', 'mine.log'], env).exit
    assert.equal(code, 0, printed)
    assert.deepEqual(
      (await jsonLines(join(bench.folder, 'mine.log'))).map(event => event.result).toSorted(), // from several slots
      [
        [20, 1, null],
        [30, 1, null],
        [40, 1, null],
      ],
    )
  })

  it('passes SIGTERM on, and its tasks see it', async () => {
    await using bench = await openBench()
    await bench.load([{ task_id: 'long', data: { num1: 1, num2: 2, sleep: true } }])
    const worker = startWorker(bench, onQueue(bench))
    await eventually('the task runs', () => worker.printed().includes('sleeping'), 10_000)
    worker.child.kill('SIGTERM')
    const { code, printed } = await worker.exit
    assert.equal(code, 0, printed)
    assert.deepEqual(
      (await bench.events()).map(event => event.result),
      ['shut down'],
    )
  })

  it('takes its agent along when it is killed', async () => {
    await using bench = await openBench()
    await bench.load([{ task_id: 'long', data: { num1: 1, num2: 2, sleep: true } }])
    const worker = startWorker(bench, onQueue(bench))
    await eventually('the task runs', () => worker.printed().includes('sleeping'), 10_000)
    worker.child.kill('SIGKILL')
    let events: readonly unknown[] = []
    await eventually('the agent stops as if asked to', async () => {
      events = [...events, ...(await bench.events()).map(event => event.result)]
      return events.length > 0
    })
    assert.deepEqual(events, ['shut down'])
  })

  it('says what is missing, and exits 1', async () => {
    await using bench = await openBench()
    const { code, printed } = await startWorker(bench, []).exit
    assert.equal(code, 1)
    assert.match(printed, /Provider must be specified with --provider or RMS_CLOUD_TASKS_PROVIDER/)
  })

  for (const words of [[], ['--own-channel']]) {
    it(`may also be what an agent runs ${words.join('')}`, async () => {
      await using bench = await openBench()
      await bench.load(additions(5))
      const { code, stderr } = await bench.run(
        '--max-num-tasks',
        '5',
        ...words,
        '--',
        'env',
        `ADDITION_OUTPUT_DIR=${bench.folder}`,
        'python3',
        WORKER,
      )
      assert.equal(code, 0, stderr)
      assert.deepEqual(new Set((await bench.events()).map(event => event.event_type)), new Set(['task_completed']))
    })
  }

  it('is found by a startup script on a VM', async () => {
    const folder = new JobFolder({
      run: [
        `startup_script: 'cd ${import.meta.dirname}/../fixtures/python && exec python3 peer_worker.py'`,
        'max_runtime: 10',
      ],
    })
    try {
      folder.write(
        'tasks.json',
        JSON.stringify(additions(4).map(task => ({ ...task, data: { num1: task.data.num1 } }))),
      )
      const { exitCode, stderr, stdout } = await folder.run('run', '--config', 'job.yml', '--task-file', 'tasks.json')
      assert.equal(exitCode, 0, stderr + stdout)
      assert.deepEqual(
        folder.query('SELECT result FROM tasks').map(row => row.result),
        Array(4).fill('"Missing required parameters"'),
      )
    } finally {
      await folder.remove()
    }
  })
})

describe('the Python package', () => {
  it('has options that the agent has, of the same type', () => {
    const script =
      'import json; from cloud_tasks.options import ALL_OPTIONS as all; print(json.dumps([[f, t.__name__] for f, t in all]))'
    const options: [string, string][] = JSON.parse(python('-c', script))
    const types = { text: 'str', integer: 'int', number: 'float', boolean: 'bool' }
    const ours = new Map(SETTING_ENTRIES.map(([, { flag, type }]) => [flag, types[type]]))
    assert.deepEqual(
      options.filter(([flag, type]) => ours.get(flag) !== type),
      [],
    )
  })

  it('can be read by Python 3.8', () => {
    const files = readdirSync(join(PACKAGE, 'cloud_tasks')).filter(name => name.endsWith('.py'))
    const script = 'import ast, sys; [ast.parse(open(f).read(), f, feature_version=(3, 8)) for f in sys.argv[1:]]'
    assert.ok(files.length > 5)
    python('-c', script, ...files.map(name => join(PACKAGE, 'cloud_tasks', name)))
  })
})

function python(...words: string[]): string {
  const env = { ...process.env, PYTHONPATH: PACKAGE, PYTHONDONTWRITEBYTECODE: '1' }
  return execFileSync('python3', words, { encoding: 'utf8', env, timeout: LIMIT_MS })
}
