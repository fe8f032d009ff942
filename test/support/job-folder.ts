// A folder with a job file, a task module and a task file, the CLI run in it as a person would, and the truth about it
// afterwards read with plain SQL. Whatever still runs for the folder at the end is killed and counted.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { killAll, processesMentioning } from './processes.ts'

const CLI = fileURLToPath(new URL('../../manager/main.ts', import.meta.url))

export interface Ended {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningCli {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

export interface JobFolderOptions {
  readonly jobId?: string
  readonly taskCount?: number
  /** Source of `task.ts`. Default: adds `a` and `b` after a few milliseconds. */
  readonly taskModule?: string
  /** Lines under `run:` and `local:` of the job file. */
  readonly run?: readonly string[]
  readonly local?: readonly string[]
  /** More environment for the CLI. */
  readonly env?: Readonly<Record<string, string>>
}

export class JobFolder {
  readonly path: string
  readonly jobId: string
  readonly dbFile: string
  readonly #clis: RunningCli[] = []
  readonly #env: Readonly<Record<string, string>>

  constructor(options: JobFolderOptions = {}) {
    this.path = realpathSync(mkdtempSync(join(tmpdir(), 'cloud-tasks-job-')))
    this.jobId = options.jobId ?? 'job'
    this.#env = options.env ?? {}
    this.dbFile = join(this.path, `${this.jobId}.db`)
    this.write('task.ts', options.taskModule ?? ADDS_SLOWLY)
    this.write('tasks.json', sumTasks(options.taskCount ?? 100))
    this.write('job.yml', jobFile(this.jobId, options))
  }

  file(name: string): string {
    return join(this.path, name)
  }

  write(name: string, text: string | Buffer): void {
    writeFileSync(this.file(name), text)
  }

  /** Starts `cloud-tasks ARGS` in the folder, without a terminal. */
  start(...args: string[]): RunningCli {
    return this.#spawn(process.execPath, [CLI, ...args])
  }

  run(...args: string[]): Promise<Ended> {
    return this.start(...args).ended
  }

  /** As `run`, after shell commands such as `mount` that hold only for this one process and its children. */
  runBehind(setup: string, ...args: string[]): Promise<Ended> {
    const script = `set -e; ${setup}; cd "$1"; shift; exec "$@"`
    const command = ['bash', '-c', script, 'bash', this.path, process.execPath, CLI, ...args]
    return this.#spawn('unshare', ['--user', '--map-root-user', '--mount', ...command]).ended
  }

  #spawn(command: string, args: readonly string[]): RunningCli {
    const child = spawn(command, args, {
      cwd: this.path,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', ...this.#env },
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const ended = new Promise<Ended>(resolve => {
      child.on('close', exitCode => resolve({ exitCode, stdout, stderr }))
    })
    const running = { child, ended }
    this.#clis.push(running)
    return running
  }

  /** Rows of a query on the job's database; empty while there is no database yet. */
  query(sql: string): readonly Readonly<Record<string, unknown>>[] {
    let db: DatabaseSync | undefined
    try {
      db = new DatabaseSync(this.dbFile, { readOnly: true, timeout: 5000 })
      return db.prepare(sql).all()
    } catch (error) {
      if (error instanceof Error && /unable to open|no such table|no such column/.test(error.message)) return []
      throw error
    } finally {
      db?.close()
    }
  }

  count(where: string): number {
    return Number(this.query(`SELECT count(*) AS n FROM tasks WHERE ${where}`)[0]?.n ?? 0)
  }

  /** Pids of everything that runs for this folder: managers, VM hosts, agents, task processes. */
  processes(match = ''): readonly number[] {
    return processesMentioning(this.path)
      .filter(found => found.command.includes(match))
      .map(found => found.pid)
  }

  /** Kills what is left, removes the folder, and says how many processes were left. */
  async remove(): Promise<number> {
    const left = this.processes()
    killAll(left)
    await Promise.all(this.#clis.map(cli => cli.ended))
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
    return left.length
  }
}

const ADDS_SLOWLY = `export default async (taskId, { a, b }) => {
  await new Promise(resolve => setTimeout(resolve, 2 + (a % 5)))
  return [false, a + b]
}
`

function sumTasks(count: number): string {
  const tasks = Array.from({ length: count }, (_, i) => ({ task_id: `sum-${i}`, data: { a: i, b: 2 * i } }))
  return JSON.stringify(tasks, undefined, 1)
}

function jobFile(jobId: string, { run = [], local = [] }: JobFolderOptions): string {
  return [
    'provider: local',
    'local:',
    `  job_id: ${jobId}`,
    ...local.map(line => `  ${line}`),
    'run:',
    ...['task: ./task.ts', 'max_instances: 2', 'scaling_check_interval: 1', ...run].map(line => `  ${line}`),
    '',
  ].join('\n')
}
