// The other task systems that can be had on this machine, with trivial tasks, each as fast as its own manual says.
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context, PeerNumbers } from './context.ts'
import { type Answer, numberOf, type ProgramOptions, runProgram } from './program.ts'
import { findOnPath, openPostgres, openRedis } from './servers.ts'
import { writeTaskFile } from './task-file.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

const FOLDER = join(import.meta.dirname, 'peers')
const INSTALL: ProgramOptions = { cwd: FOLDER, timeoutMs: 300_000 }
const RUN: ProgramOptions = { cwd: FOLDER, timeoutMs: 120_000 }
const PYTHON_SYSTEM = 'rms-cloud-tasks==0.5.0'

export async function measurePeers({ sizes, repeats, say }: Omit<Context, 'peers'>): Promise<PeerNumbers> {
  const run = new Map<string, number>()
  const load = new Map<string, number>()
  // Their best round: they do not run in turn with ours, and a busy moment of the machine must not be held against them.
  const rounds = Math.min(repeats, 3)
  const measure = async (name: string, command: readonly string[]) => {
    say(name)
    const answers: Answer[] = []
    for (let round = 0; round < rounds; round++) answers.push(await runProgram(command, RUN))
    run.set(name, Math.max(...answers.map(answer => numberOf(answer, 'perSecond'))))
    if (answers[0]?.addsPerSecond !== undefined) {
      load.set(name, Math.max(...answers.map(answer => numberOf(answer, 'addsPerSecond'))))
    }
  }

  await installNodePeers(say)
  await measure('Piscina (threads, nothing durable)', [program('piscina.mjs'), String(sizes.piscinaTasks)])

  await using redisFolder = await openTemporaryFolder()
  await using redis = await openRedis(redisFolder.path)
  if (redis === undefined) say('BullMQ left out: there is no redis-server')
  else {
    const port = String(redis.port)
    await measure('BullMQ inline', [program('bullmq.mjs'), 'inline', String(sizes.bullmqInlineTasks), port])
    await measure('BullMQ sandboxed', [program('bullmq.mjs'), 'sandboxed', String(sizes.bullmqSandboxedTasks), port])
  }

  await using postgresFolder = await openTemporaryFolder()
  await using postgres = await openPostgres(postgresFolder.path)
  if (postgres === undefined) say('Graphile Worker left out: there is no PostgreSQL')
  else {
    const url = `postgres://bench@127.0.0.1:${postgres.port}/postgres`
    await measure('Graphile Worker', [program('graphile-worker.mjs'), String(sizes.graphileTasks), url])
  }

  const python = sizes.pythonTasks === 0 ? undefined : await installPythonPeer(say)
  if (python === undefined) say('the Python system left out: there is no python3, or this is a quick run')
  else {
    await using folder = await openTemporaryFolder()
    const taskFile = join(folder.path, 'tasks.json')
    await writeTaskFile(taskFile, sizes.pythonTasks)
    say('the Python system')
    const answer = await runProgram(
      [python, program('python_worker.py'), taskFile, join(folder.path, 'events.log')],
      RUN,
    )
    run.set('the Python system', numberOf(answer, 'perSecond'))
  }
  return { run, load }
}

async function installNodePeers(say: Context['say']): Promise<void> {
  if (await exists(join(FOLDER, 'node_modules', 'piscina'))) return
  say('installing the peers (26 MB, once)')
  await runProgram(['npm', 'ci', '--no-audit', '--no-fund', '--ignore-scripts'], INSTALL)
}

/** Path of a Python that has the peer; undefined without python3. */
async function installPythonPeer(say: Context['say']): Promise<string | undefined> {
  const venv = join(FOLDER, '.venv')
  const python = join(venv, 'bin', 'python')
  if (await exists(join(venv, 'installed'))) return python
  const system = await findOnPath('python3')
  if (system === undefined) return undefined
  say('installing the Python system (310 MB, once)')
  await runProgram([system, '-m', 'venv', '--clear', venv], INSTALL)
  await runProgram([python, '-m', 'pip', 'install', '--quiet', PYTHON_SYSTEM], INSTALL)
  await runProgram(['touch', join(venv, 'installed')], INSTALL)
  return python
}

function program(name: string): string {
  return join(FOLDER, name)
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
