// Where a TaskQueue lives: a SQLite file with its tasks and results, and beside it the local provider's queues, with leases,
// retries and dead letters like those of any cloud.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { systemClock } from '../../core/clock.ts'
import { vmId } from '../../core/ids.ts'
import { deadLetterQueueName } from '../../core/names.ts'
import { openProvider } from '../../infra/open-provider.ts'
import type { OutgoingMessage, Provider } from '../../infra/provider.ts'
import type { Connections } from '../connections.ts'
import { newSession, openOrigin } from '../origin.ts'
import { type Result, resultOf } from './result.ts'
import { type TaskRow, TaskTable } from './task-table.ts'

export interface AwaitOptions {
  /** Seconds to wait for the end of the task; default: for as long as it takes. */
  readonly timeout?: number
  /** Gives up waiting: the call rejects. */
  readonly signal?: AbortSignal
}

const QUEUE = 'tasks'
const FIRST_LOOK_MS = 4
const LONGEST_LOOK_MS = 50
const SHARED_MEMORY = '/dev/shm'

/** Where a TaskQueue lives; made by `sqlite`. Opened by the first thing that is done with it. */
export class Backend {
  /** The file, or `:memory:`. */
  readonly name: string
  readonly #location: string
  readonly #temporary: string | undefined
  /**
   * Functions that were enqueued here by themselves, by name: for workers of the same program.
   * @internal
   */
  readonly functions = new Map<string, (...args: never[]) => unknown>()
  #table: TaskTable | undefined
  #provider: Promise<Provider> | undefined
  readonly #discard = () => this.#remove()

  constructor(name: string) {
    this.name = name
    if (name === ':memory:') {
      this.#temporary = mkdtempSync(join(existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(), 'cloud-tasks-'))
      process.on('exit', this.#discard)
    }
    this.#location = this.#temporary === undefined ? resolve(name) : join(this.#temporary, 'tasks.sqlite')
  }

  /**
   * Row first, message second: nobody can finish a task that has no row. A crash between the two leaves a task that nobody
   * was told of.
   * @internal
   */
  async send(tasks: readonly (OutgoingMessage & { readonly taskId: string })[]): Promise<void> {
    const taken = this.#open().add(tasks)
    if (taken.length > 0) throw new Error(`There is a task "${taken[0]}" already: give each task an id of its own.`)
    const queue = (await this.provider()).openQueue(QUEUE, { leaseSeconds: 60 })
    await queue.send(tasks)
  }

  /** @internal */
  find(taskId: string): TaskRow | undefined {
    return this.#open().find(taskId)
  }

  /**
   * undefined = not finished.
   * @internal
   */
  async finished(taskId: string): Promise<Result | undefined> {
    const row = this.find(taskId)
    if (row === undefined) throw new Error(`There is no task "${taskId}" in ${this.name}.`)
    if (row.lastEvent === undefined) return undefined
    const { outcome } = row.lastEvent
    const url = outcome.kind === 'completed' ? spilledUrl(outcome.result) : undefined
    if (outcome.kind !== 'completed' || url === undefined) return resultOf(row.lastEvent)
    const chunks: Uint8Array[] = []
    for await (const chunk of (await this.provider()).openObjects().read(url)) chunks.push(chunk)
    return resultOf({ ...row.lastEvent, outcome: { ...outcome, result: JSON.parse(Buffer.concat(chunks).toString()) } })
  }

  /** Resolves when the task has ended for good: succeeded, or failed without another attempt to come. */
  async result(taskId: string, { timeout, signal }: AwaitOptions = {}): Promise<Result> {
    const giveUpMs = timeout === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeout * 1000
    for (let napMs = FIRST_LOOK_MS; ; napMs = Math.min(napMs * 1.3, LONGEST_LOOK_MS)) {
      const result = await this.finished(taskId)
      if (result !== undefined) return result
      if (performance.now() > giveUpMs) throw new Error(`Task "${taskId}" has not ended within ${timeout} s.`)
      await systemClock.sleep(napMs, signal)
      signal?.throwIfAborted()
    }
  }

  /**
   * What a worker works with: the same as on a VM, but that events go to the table.
   * @internal
   */
  async connections({
    leaseSeconds,
    workerId,
  }: {
    readonly leaseSeconds: number
    readonly workerId: string | undefined
  }): Promise<Connections> {
    const provider = await this.provider()
    const table = this.#open()
    const queue = provider.openQueue(QUEUE, { leaseSeconds })
    return {
      queueName: QUEUE,
      source: this.name,
      openTasks: async () => queue,
      deadLetters: provider.openQueue(deadLetterQueueName(QUEUE), { leaseSeconds }),
      events: { send: async events => table.apply(events) },
      eventQueue: undefined,
      eventsToFile: false,
      limits: provider.limits,
      objects: provider.openObjects(),
      instance: undefined,
      origin: openOrigin(workerId === undefined ? undefined : vmId(workerId), newSession()),
      close: async () => {}, // the queue may be in use by others here
    }
  }

  /** @internal */
  provider(): Promise<Provider> {
    this.#provider ??= openProvider('local', { local: { root: `${this.#location}-queue` }, env: {} })
    return this.#provider
  }

  /** Deletes what was in memory. May be called more than once. */
  async close(): Promise<void> {
    const provider = await this.#provider
    this.#provider = undefined
    await provider?.close()
    this.#remove()
    process.off('exit', this.#discard)
  }

  #open(): TaskTable {
    this.#table ??= new TaskTable(this.#location)
    return this.#table
  }

  #remove(): void {
    this.#table?.close()
    this.#table = undefined
    if (this.#temporary !== undefined) rmSync(this.#temporary, { recursive: true, force: true })
  }
}

/**
 * Backend of a TaskQueue in a file, which all programs that name it share, or in the memory of this one (`:memory:`).
 * Beside `file` there will be a folder `file-queue`.
 */
export function sqlite(file: string): Backend {
  return new Backend(file)
}

/** A result that was too long for an event lies in the object store: see docs/protocol.md. */
function spilledUrl(result: unknown): string | undefined {
  if (typeof result !== 'object' || result === null || !('result_url' in result) || !('bytes' in result))
    return undefined
  return typeof result.result_url === 'string' ? result.result_url : undefined
}
