// A worker over HTTP among the kinds of task programs, and what becomes of its tasks when it is not heard of any more. Each
// bench has a real server of its own in front of the queue.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type AgentBench, eventually, openBench, type RunningAgent } from '../agent-run.ts'
import { describeKind, type Situation } from '../kind-suite.ts'
import { KEY, type RunningServer, serverOf } from './serve-run.ts'

const AGENT = join(import.meta.dirname, '../../../agent/main.ts')
const WORKER = join(import.meta.dirname, '../../fixtures/kinds/http-worker.ts')
const SHORT_LEASE_SECONDS = 1 // the shortest that the API takes
const LONG_LEASE_SECONDS = 60
const NOT_HEARD = 'the server hears nothing of the process; its claim ends, which is shown below'

describeKind({
  name: 'a worker over HTTP',
  async start(bench, situation) {
    const server = await startServer(bench, situation)
    // What is interrupted is reported when its claim ends.
    const leaseSeconds = situation.graceSeconds === undefined ? LONG_LEASE_SECONDS : SHORT_LEASE_SECONDS
    const worker = startWorker(bench, server, { ...situation, leaseSeconds })
    return { ...worker, exit: worker.exit.then(exit => stopped(server).then(() => exit)) }
  },
  keepsOutput: false,
  lacks: {
    exit: NOT_HEARD,
    kill: NOT_HEARD,
    'time-out': NOT_HEARD,
    memory: 'nobody watches the memory of a worker of which only requests are known',
    notice: 'only the worker can know which VM it runs on',
  },
})

describe('a task of a worker over HTTP that is not heard of any more', { timeout: 60_000, concurrency: 2 }, () => {
  /** Does one task with two workers; the second begins when the first has come to `outcome`. */
  async function doneByTwo<T>(how: string, first: (worker: RunningAgent) => Promise<T>) {
    await using bench = await openBench()
    await bench.load([{ task_id: 'one', data: { how } }])
    const server = await startServer(bench)
    const outcome = await first(startWorker(bench, server, { attempts: 1 }))
    const { code, stderr } = await startWorker(bench, server, { attempts: 1 }).exit
    assert.equal(code, 0, stderr)
    const events = (await bench.events()).map(event => [event.event_type, event.result])
    return { outcome, events }
  }
  const DONE_AGAIN = [['task_completed', 'done again']]

  it('is done again when the worker is killed -9', async () => {
    const { outcome, events } = await doneByTwo('kill', async ({ exit }) => (await exit).signal)
    assert.deepEqual([outcome, events], ['SIGKILL', DONE_AGAIN])
  })

  it('is done again when the worker ends in the middle of it', async () => {
    const { outcome, events } = await doneByTwo('exit', async ({ exit }) => (await exit).code)
    assert.deepEqual([outcome, events], [3, DONE_AGAIN])
  })

  it('is done again when the worker hangs without a heartbeat', async () => {
    const { events } = await doneByTwo('endless', ({ saw }) => saw('for ever'))
    assert.deepEqual(events, DONE_AGAIN)
  })

  it('is done again when the worker is too late, whose result is refused', async () => {
    const { outcome, events } = await doneByTwo('late', async ({ exit }) => (await exit).stdout)
    assert.deepEqual([outcome, events], ['one was refused with 409\n', DONE_AGAIN])
  })

  it('is left alone for as long as heartbeats come, far beyond the lease', async () => {
    await using bench = await openBench()
    await bench.load([{ task_id: 'one', data: { how: 'beats' } }])
    const server = await startServer(bench)
    const worker = startWorker(bench, server, { attempts: 1 })
    await worker.saw('beating')
    const rival = startWorker(bench, server)
    assert.equal((await worker.exit).code, 0)
    rival.process.kill('SIGTERM')
    assert.equal((await rival.exit).code, 0)
    const results = (await bench.events()).map(event => event.result)
    assert.deepEqual(results, ['done once'])
  })
})

interface WorkerOptions {
  readonly attempts?: number
  readonly graceSeconds?: number
  readonly leaseSeconds?: number
}

async function startServer(bench: AgentBench, { retryOnException = false }: Situation = {}): Promise<RunningServer> {
  const place = ['--provider', 'local', '--local-root', bench.folder, '--job-id', 'job', '--port', '0']
  const policy = retryOnException ? ['--retry-on-exception'] : []
  const { process: child, exit } = bench.startAlone(AGENT, ['serve', ...place, ...policy], { API_KEY: KEY })
  return serverOf(
    child,
    exit.then(({ code, signal }) => code ?? signal ?? -1),
  )
}

/** As systemd runs it: the address and the key from the environment, SIGTERM to stop it. */
function startWorker(bench: AgentBench, server: RunningServer, options: WorkerOptions = {}): RunningAgent {
  const { attempts = Number.POSITIVE_INFINITY, graceSeconds, leaseSeconds = SHORT_LEASE_SECONDS } = options
  const words = graceSeconds === undefined ? [attempts] : [attempts, graceSeconds]
  const env = { API_URL: server.url, API_KEY: KEY, LEASE_SECONDS: String(leaseSeconds) }
  return bench.startAlone(WORKER, words.map(String), env)
}

/** Stops it when no claim lives any more, so that what the worker left behind is reported. */
async function stopped(server: RunningServer): Promise<void> {
  await eventually('all claims are over', async () => {
    const { json } = await server.ask('/tasks?status=claimed')
    return json.tasks.length === 0
  })
  server.process.kill('SIGTERM')
  assert.equal(await server.exit, 0)
}
