// The example workers of examples/workers/http, each against the real server, with the libraries that they are written for and,
// in Python and PHP, with the language's own client.
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { eventually } from '../agent/agent-run.ts'
import { KEY, openServeBench, type RunningServer } from '../agent/http/serve-run.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const EXAMPLE = join(ROOT, 'examples', 'workers', 'http')
const DEBIAN_PHP = '/usr/share/php' // where packages php-guzzlehttp-guzzle and php-vlucas-phpdotenv lie
const WORKER_MS = 30_000

const guzzle = ['GuzzleHttp', 'Dotenv'].every(name => existsSync(join(DEBIAN_PHP, name, 'autoload.php')))
const noPhp = works('php', '--version') ? false : 'there is no PHP here'

describe('the HTTP workers of the examples', { timeout: 180_000 }, () => {
  it('work in Node.js with axios', () => checkWorker([process.execPath, 'worker.cjs']))

  it('work in Python with its standard library', () => checkWorker(['python3', '-S', 'worker.py']))

  it('work in Python with requests', async () => checkWorker([await pythonWithRequests(), 'worker.py']))

  it('work in PHP with its own client', { skip: noPhp }, () => checkWorker(['php', 'worker.php']))

  it('work in PHP with Guzzle', { skip: noPhp || (guzzle ? false : 'Guzzle is not installed') }, () =>
    checkWorker(['php', 'worker.php'], async folder => {
      await mkdir(join(folder, 'vendor'))
      const files = ['GuzzleHttp', 'Dotenv'].map(name => `require '${join(DEBIAN_PHP, name, 'autoload.php')}';`)
      await writeFile(join(folder, 'vendor', 'autoload.php'), `<?php\n${files.join('\n')}\n`)
    }),
  )

  it('come with a config.json and an .env that the server takes', async () => {
    await using bench = await openServeBench()
    await cp(EXAMPLE, bench.folder, { recursive: true })
    await cp(join(EXAMPLE, '.env.example'), join(bench.folder, '.env'))
    const server = await bench.start('--config', 'config.json')
    const { status } = await server.ask('/tasks', undefined, { key: 'your_api_key_here' })
    assert.equal(status, 200)
    await server.ask('/tasks', { id: 'x' })
    for (let attempt = 1; attempt <= 3; attempt++) {
      await server.claim({ wait_seconds: 10 })
      const { json } = await server.ask('/tasks/x/fail', { error: 'x', retryable: true })
      assert.equal(json.will_retry, attempt < 3) // MAX_RETRIES=3
    }
  })
})

/** A new worker does one task of each kind, fails what it does not know, and ends when it is told to. */
async function checkWorker(command: readonly string[], prepare?: (folder: string) => Promise<void>): Promise<void> {
  await using bench = await openServeBench()
  const server = await bench.start()
  const folder = join(bench.folder, 'worker')
  await cp(EXAMPLE, folder, { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const settings = { API_URL: server.url, API_KEY: KEY, WORKER_ID: 'worker-001', POLLING_INTERVAL: '0.1' }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  await writeFile(join(folder, '.env'), lines.join(''))
  await prepare?.(folder)

  const worker = startWorker(command, folder)
  try {
    await saw(worker, 'Worker starting...')
    const created = await server.ask('/tasks', {
      tasks: [
        { id: 'sum', type: 'add.numbers', parameters: { first: 1, second: 2 } },
        { id: 'größe / 1', type: 'greet.person', parameters: { name: 'Jürgen 🙂' } },
        { id: 'again', type: 'call.service' },
        { id: 'strange', type: 'no.such.type' },
      ],
    })
    assert.equal(created.status, 201)
    const results: Record<string, unknown> = {
      sum: { sum: 3 },
      'größe / 1': { greeting: 'Hello, Jürgen 🙂!' },
      again: { attempt: 2 },
    }
    for (const [id, result] of Object.entries(results)) {
      const { task } = await ended(server, id, worker)
      assert.deepEqual([task.status, task.result, task.claimed_by], ['completed', result, 'worker-001'])
    }
    const { task } = await ended(server, 'strange', worker)
    assert.equal(task.status, 'failed')
    assert.match(task.error, /Unknown task type: no\.such\.type/)
    assert.ok(task.error.split('\n').length > 1, 'the failure says where')
    worker.process.kill('SIGTERM')
    assert.equal(await worker.exit, 0, worker.output())
    assert.match(worker.output(), /Processing task sum\.\.\.\n(.*\n)*Task sum completed/)
    const events = await bench.events()
    const failure = events.find(event => event.task_id === 'again' && event.event_type === 'task_exception')
    assert.deepEqual([failure?.retry, /RATE_LIMIT: Rate limit exceeded/.test(String(failure?.exception))], [true, true])
  } finally {
    worker.process.kill('SIGKILL')
  }
}

interface Worker {
  readonly process: ChildProcess
  readonly exit: Promise<number | null>
  output(): string
}

function startWorker([file = '', ...args]: readonly string[], cwd: string): Worker {
  const child = spawn(file, args, {
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PYTHONIOENCODING: 'utf-8' },
    timeout: WORKER_MS,
    killSignal: 'SIGKILL',
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const exit = new Promise<number | null>(resolve => {
    child.on('error', error => {
      output += error.message
    })
    child.on('close', resolve)
  })
  return { process: child, exit, output: () => output }
}

async function saw(worker: Worker, text: string): Promise<void> {
  await eventually(text, () => worker.output().includes(text), 15_000)
}

async function ended(server: RunningServer, id: string, worker: Worker) {
  const path = `/tasks/${encodeURIComponent(id)}`
  const over = async () => ['completed', 'failed'].includes((await server.ask(path)).json.task.status)
  await eventually(`${id} ends`, over, 15_000).catch((error: unknown) => {
    throw new Error(worker.output(), { cause: error })
  })
  return (await server.ask(path)).json
}

function works(...[file = '', ...args]: readonly string[]): boolean {
  try {
    execFileSync(file, args, { stdio: 'ignore', timeout: 20_000 })
    return true
  } catch {
    return false
  }
}

/** The Python that has both packages; else a virtual environment is made, once, beside the dependencies. */
async function pythonWithRequests(): Promise<string> {
  const check = ['-c', 'import requests, dotenv']
  if (works('python3', ...check)) return 'python3'
  const folder = join(ROOT, 'node_modules', '.cache', 'cloud-tasks-python')
  const python = join(folder, 'bin', 'python3')
  if (!works(python, ...check)) {
    execFileSync('python3', ['-m', 'venv', folder], { stdio: 'ignore', timeout: 60_000 })
    const packages = ['requests==2.32.5', 'python-dotenv==1.1.1']
    execFileSync(python, ['-m', 'pip', 'install', '-q', ...packages], { stdio: 'ignore', timeout: 120_000 })
  }
  return python
}
