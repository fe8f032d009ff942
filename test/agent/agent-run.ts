// Runs the real agent program on the real local queue in a folder of its own, and reads what it leaves behind.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Json } from '../../core/task.ts'
import { openProvider } from '../../infra/open-provider.ts'
import type { OutgoingMessage, Provider, Queue } from '../../infra/provider.ts'

const AGENT = new URL('../../agent/main.ts', import.meta.url).pathname
const FIXTURES = new URL('../fixtures/tasks/', import.meta.url).pathname
const AGENT_MS = 20_000 // no agent of a test runs longer

export type Fields = { readonly [key: string]: Json | undefined }

export interface AgentExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningAgent {
  readonly process: ChildProcess
  readonly exit: Promise<AgentExit>
  /** Resolves when `text` stands in what the agent or its tasks have written. */
  saw(text: string): Promise<void>
}

export interface AgentBench extends AsyncDisposable {
  readonly folder: string
  readonly tasks: Queue
  readonly provider: Provider
  load(messages: readonly (Fields | string)[], options?: Partial<OutgoingMessage>): Promise<void>
  /** Starts the agent on the queue; `words` end with the task. */
  start(...words: string[]): RunningAgent
  /** Starts a script on the queue in the place of the agent. */
  startScript(script: string, ...words: string[]): RunningAgent
  /** Starts a script in the folder, with this in its environment. */
  startAlone(script: string, words: readonly string[], env: Readonly<Record<string, string>>): RunningAgent
  /** Starts it and waits for its end. */
  run(...words: string[]): Promise<AgentExit>
  /** Starts it without a queue. */
  runAlone(...words: string[]): Promise<AgentExit>
  /** All events but keep-alives, in the order of the queue; they are taken out. */
  events(): Promise<readonly Fields[]>
  /** Bodies that can be received now; they are taken out. */
  left(suffix?: string): Promise<readonly Fields[]>
}

export function fixture(name: string): string {
  return join(FIXTURES, name)
}

export async function openBench({ leaseSeconds = 30 }: { readonly leaseSeconds?: number } = {}): Promise<AgentBench> {
  const folder = await mkdtemp(join(tmpdir(), 'cloud-tasks-agent-'))
  const provider = await openProvider('local', { local: { root: folder }, env: {} })
  const queue = (name: string) => provider.openQueue(name, { leaseSeconds })
  const running = new Set<ChildProcess>()

  const spawnAgent = (words: readonly string[], program = [AGENT], more = {}): RunningAgent => {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('RMS_CLOUD')))
    const child = spawn(process.execPath, [...program, ...words], {
      cwd: folder,
      env: { ...env, ...more },
      timeout: AGENT_MS,
      killSignal: 'SIGKILL',
    })
    running.add(child)
    let stdout = ''
    let stderr = ''
    let look: () => void = () => {}
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      look()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      look()
    })
    const exit = new Promise<AgentExit>(resolve => {
      child.on('close', (code, signal) => {
        running.delete(child)
        resolve({ code, signal, stdout, stderr })
        look()
      })
    })
    return {
      process: child,
      exit,
      saw: text =>
        new Promise((resolve, reject) => {
          look = () => {
            if (stdout.includes(text) || stderr.includes(text)) resolve()
            else if (child.exitCode !== null)
              reject(new Error(`The agent ended without "${text}":\n${stdout}${stderr}`))
          }
          look()
        }),
    }
  }
  const job = ['--provider', 'local', '--local-root', folder, '--job-id', 'job']
  const onQueue = (words: readonly string[]) => spawnAgent([...job, ...words])
  const drain = async (name: string) => {
    const bodies: Fields[] = []
    for (;;) {
      const from = queue(name)
      const deliveries = await from.receive({ maxMessages: 10_000, waitSeconds: 0 })
      if (deliveries.length === 0) return bodies
      await from.ack(deliveries.map(({ receipt }) => receipt))
      for (const { body } of deliveries) bodies.push(body.startsWith('{') ? JSON.parse(body) : { body })
    }
  }

  return {
    folder,
    provider,
    tasks: queue('job'),
    load: (messages, options = {}) =>
      queue('job').send(
        messages.map(message => ({
          body: typeof message === 'string' ? message : JSON.stringify(message),
          ...options,
        })),
      ),
    start: (...words) => onQueue(words),
    startScript: (script, ...words) => spawnAgent([...words, ...job], [script]),
    startAlone: (script, words, env) => spawnAgent(words, [script], env),
    run: (...words) => onQueue(words).exit,
    runAlone: (...words) => spawnAgent(words).exit,
    events: async () => (await drain('job-events')).filter(event => event.event_type !== 'keep_alive'),
    left: (suffix = '') => drain(`job${suffix}`),
    async [Symbol.asyncDispose]() {
      for (const child of running) child.kill('SIGKILL')
      await provider.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Numbered tasks with the same data. */
export function tasks(count: number, data: Fields = {}): Fields[] {
  return Array.from({ length: count }, (_, i) => ({ task_id: `task-${i + 1}`, data: { ...data, number: i + 1 } }))
}

/** Lines of a file, parsed. */
export async function jsonLines(file: string): Promise<Fields[]> {
  return (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
}

export async function eventually(what: string, test: () => boolean | Promise<boolean>, boundMs = 5000): Promise<void> {
  const giveUp = Date.now() + boundMs
  while (!(await test())) {
    if (Date.now() > giveUp) throw new Error(`Not within ${boundMs} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
