// Runs some tasks on this computer, through the real agent in task-file mode, to see how long they take and what they need.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UserError } from '../../core/errors.ts'
import type { JobConfig } from '../../core/job-config.ts'
import type { Task } from '../../core/task.ts'
import { type AttemptEvent, parseEvent } from '../../core/task-event.ts'
import type { SampleFacts } from '../plan.ts'

export interface SampleRun extends SampleFacts {
  /** Of the attempts that completed. */
  readonly taskSeconds: readonly number[]
}

const AGENT = fileURLToPath(new URL(`../../agent/main${extname(import.meta.url)}`, import.meta.url))

/** Ends with the agent: each task is bounded by max_runtime. An abort of `signal` ends the agent too. */
export async function runSample(tasks: readonly Task[], config: JobConfig, signal: AbortSignal): Promise<SampleRun> {
  const { task, folder } = config.boot
  if (task === undefined) {
    throw new UserError('--sample runs tasks with `task` of the job file; give that, or --seconds-per-task instead.')
  }
  const temporary = mkdtempSync(join(tmpdir(), 'cloud-tasks-sample-'))
  try {
    const [taskFile, eventFile] = [join(temporary, 'tasks.json'), join(temporary, 'events.jsonl')]
    writeFileSync(taskFile, JSON.stringify(tasks.map(({ taskId, data, type }) => ({ task_id: taskId, data, type }))))
    const ended = await runAgent({ task, folder, temporary, taskFile, eventFile, config, signal })
    const events = readEvents(eventFile)
    if (events.length === 0) throw new UserError(`The sample could not be run: ${ended}.`)
    return factsOf(events)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

interface AgentRun {
  readonly task: string
  readonly folder: string
  readonly temporary: string
  readonly taskFile: string
  readonly eventFile: string
  readonly config: JobConfig
  readonly signal: AbortSignal
}

/** By the shell, as a VM's startup script does it: `task` may be a command line. */
async function runAgent({ task, folder, temporary, taskFile, eventFile, config, signal }: AgentRun): Promise<string> {
  const programs = join(temporary, 'bin')
  mkdirSync(programs)
  const shim = `#!/bin/sh\nexec ${[process.execPath, AGENT].map(quote).join(' ')} "$@"\n`
  writeFileSync(join(programs, 'cloud-tasks-agent'), shim, { mode: 0o755 })
  const { tasks } = config
  const slotCount = Math.max(1, Math.floor(availableParallelism() / tasks.cpusPerTask))
  const options = [
    ...['--task-file', taskFile, '--event-log-file', eventFile, '--event-log-to-file', '--no-event-log-to-queue'],
    ...['--num-simultaneous-tasks', String(slotCount), '--max-runtime', String(tasks.maxRuntimeSeconds)],
    ...(tasks.maxMemoryPerTaskGib === undefined
      ? []
      : ['--max-memory-allowed-per-task', String(tasks.maxMemoryPerTaskGib)]),
  ]
  const script = `exec cloud-tasks-agent ${options.map(quote).join(' ')} ${task}`
  const agent = spawn('bash', ['-c', script], {
    cwd: folder,
    env: { ...process.env, PATH: `${programs}:${process.env.PATH ?? ''}` },
    stdio: ['ignore', 'ignore', 'pipe'],
    signal,
  })
  let lastLine = ''
  agent.stderr.setEncoding('utf8').on('data', (text: string) => {
    lastLine = text.trim().split('\n').at(-1) ?? lastLine
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    agent.on('error', reject)
    agent.on('close', resolve)
  })
  return lastLine === '' ? `the agent ended with exit code ${code}` : lastLine.replace(/\.$/, '')
}

function readEvents(file: string): AttemptEvent[] {
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return [] // the agent did not get as far as making it; its own words say why
  }
  return text.split('\n').flatMap(line => {
    const event = line === '' ? undefined : parseEvent(line)
    return event?.kind === 'attempt' ? [event] : []
  })
}

function factsOf(events: readonly AttemptEvent[]): SampleRun {
  const last = [...new Map(events.map(event => [event.taskId, event])).values()]
  const failed = last.filter(({ outcome }) => outcome.kind !== 'completed')
  const rss = events.flatMap(({ maxRssBytes }) => maxRssBytes ?? [])
  const [first] = failed.map(({ outcome }) => (outcome.kind === 'exception' ? outcome.exception : outcome.kind))
  return {
    taskCount: last.length,
    failedCount: failed.length,
    failure: first,
    maxRssBytes: rss.length === 0 ? undefined : Math.max(...rss),
    taskSeconds: last.filter(event => !failed.includes(event)).map(event => event.elapsedSeconds),
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
