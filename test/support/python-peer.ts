// A job of the Pub/Sub fake that the Python system rms-cloud-tasks and we work on together: its programs and ours, started as
// people start them, in one folder with one job file.
import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { startGce } from './gce-fake.ts'
import { JobFolder } from './job-folder.ts'
import { startPubSubFake } from './pubsub-fake.ts'
import { withGoTools } from './test-tools.ts'

const PEER_FOLDER = join(import.meta.dirname, '..', '..', '.test-tools', 'peer')
const python = join(PEER_FOLDER, 'bin', 'python')
const AGENT = fileURLToPath(new URL('../../agent/main.ts', import.meta.url))
const JOB = 'interop'
const PROJECT = 'test-project'
const PROGRAM_MS = 30 * 60_000 // no program of a test runs longer

/** Of tasks, for both systems. The Python one counts the start of the task's process in. */
export const MAX_RUNTIME_SECONDS = 20

/** Runs `define` if the Python system and the Pub/Sub fake are there. If not, one skipped test says so. */
export function withPeer(define: () => void): void {
  if (existsSync(join(PEER_FOLDER, 'installed.txt'))) withGoTools(['pubsub-fake'], define)
  else it('needs the Python system', { skip: 'rms-cloud-tasks is not installed: npm run test:tools' }, () => {})
}

export interface Ended {
  readonly exitCode: number | null
  readonly output: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** So far. */
  output(): string
}

export interface SharedJob {
  file(name: string): string
  write(name: string, text: string): void
  /** `cloud-tasks ARGS` of ours, to its end. */
  ours(...args: string[]): Promise<Ended>
  /** `cloud_tasks ARGS` of the Python system, to its end. */
  theirs(...args: string[]): Promise<Ended>
  /** Our agent, which runs the Python task. */
  startAgent(...args: string[]): Running
  /** A worker program of the Python system. */
  startWorker(...args: string[]): Running
  /** What the Python system's own database class finds in a file. */
  readByTheirs(dbFile: string): Promise<PeerView>
  /** As a person would, with SIGTERM. */
  stop(running: readonly Running[]): Promise<readonly Ended[]>
  close(): Promise<void>
}

const peerView = z.object({
  total: z.number(),
  complete: z.boolean(),
  counts: z.record(z.string(), z.number()),
  statistics: z.object({
    time_stats: z.object({ min_time: z.number(), max_time: z.number(), avg_time: z.number() }),
    exception_counts: z.record(z.string(), z.number()),
  }),
  events: z.number(),
})
export type PeerView = z.infer<typeof peerView>

export async function openSharedJob(): Promise<SharedJob> {
  const pubsub = await startPubSubFake()
  const compute = await startGce({ projectId: PROJECT })
  const env = {
    PUBSUB_EMULATOR_HOST: pubsub.host,
    CLOUD_TASKS_GCP_COMPUTE_URL: compute.endpoint,
    CLOUD_TASKS_GCP_MONITORING_URL: pubsub.monitoringUrl,
    METADATA_SERVER_DETECTION: 'none',
  }
  const folder = new JobFolder({ jobId: JOB, env })
  folder.write('job.yml', jobFile())
  folder.write('key.json', madeUpKey())

  const start = (command: string, args: readonly string[], more = {}): Running => {
    const child = spawn(command, args, {
      cwd: folder.path,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env, ...more },
      timeout: PROGRAM_MS,
      killSignal: 'SIGKILL',
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    }
    return {
      child,
      ended: new Promise(resolve => child.on('close', exitCode => resolve({ exitCode, output }))),
      output: () => output,
    }
  }
  const startPython = (program: string, args: readonly string[]) =>
    start(python, [source(program), ...args], { GOOGLE_APPLICATION_CREDENTIALS: folder.file('key.json') })
  // Without keep-alives: they would ask who this VM is, at an address that cannot be set.
  const common = ['--provider', 'gcp', '--project-id', PROJECT, '--job-id', JOB, '--keepalive-interval', '0']
  const worker = [...common, '--max-runtime', String(MAX_RUNTIME_SECONDS), '--shutdown-grace-period', '5']

  return {
    file: name => folder.file(name),
    write: (name, text) => folder.write(name, text),
    async ours(...args) {
      const { exitCode, stdout, stderr } = await folder.run(...args)
      return { exitCode, output: stdout + stderr }
    },
    theirs: (...args) => startPython('cli', args).ended,
    startAgent: (...args) => start(process.execPath, [AGENT, ...worker, ...args, `${source('task')}:process_task`]),
    startWorker: (...args) => startPython('task', [...worker, ...args]),
    async readByTheirs(dbFile) {
      const { output } = await startPython('reads', [folder.file(dbFile)]).ended
      return peerView.parse(JSON.parse(output))
    },
    stop(running) {
      for (const { child } of running) child.kill('SIGTERM')
      return Promise.all(running.map(({ ended }) => ended))
    },
    async close() {
      await folder.remove()
      await compute.close()
      await pubsub.close()
    },
  }
}

/** Rows of a query, as plain objects. */
export function rowsOf(dbFile: string, sql: string): readonly Readonly<Record<string, unknown>>[] {
  const db = new DatabaseSync(dbFile, { readOnly: true, timeout: 10_000 })
  try {
    return db
      .prepare(sql)
      .all()
      .map(row => ({ ...row }))
  } finally {
    db.close()
  }
}

function source(name: string): string {
  return fileURLToPath(new URL(`python-peer-${name}.py`, import.meta.url))
}

/** One for both systems: nothing in it is ours alone. */
function jobFile(): string {
  return [
    'provider: gcp',
    'gcp:',
    `  job_id: ${JOB}`,
    `  project_id: ${PROJECT}`,
    '  region: us-central1',
    'run:',
    `  max_runtime: ${MAX_RUNTIME_SECONDS}`,
    '',
  ].join('\n')
}

/** Of a service account that nobody has: Google's Python packages want one even where nothing is signed. */
function madeUpKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return JSON.stringify({
    type: 'service_account',
    project_id: PROJECT,
    private_key_id: 'made-up',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    client_email: `nobody@${PROJECT}.iam.gserviceaccount.com`,
    client_id: '1',
    token_uri: 'http://127.0.0.1:9/token',
  })
}
