// Tasks that are calls of functions: put into a queue here, run by workers in this program or in others.
import { randomUUID } from 'node:crypto'
import type { Json, Priority } from '../../core/task.ts'
import type { OutgoingMessage } from '../../infra/provider.ts'
import { type Packing, packArguments, unpackValue } from './packing.ts'
import { Result } from './result.ts'
import type { AwaitOptions, Backend } from './sqlite-backend.ts'

// biome-ignore lint/suspicious/noExplicitAny: the arguments of a task are its own affair
export type AnyFunction = (...args: any[]) => unknown
/** The functions that tasks may name, by name. */
export type Functions = Readonly<Record<string, AnyFunction>>

export interface TaskFields {
  /** The function, or its name among the queue's `tasks`. */
  readonly function: AnyFunction | string
  readonly args?: readonly unknown[]
  /** Default: `normal`. */
  readonly priority?: Priority
  /** Seconds before it may start. */
  readonly delay?: number
  /** Default: a random one. A second task with the same id is refused. */
  readonly taskId?: string
}

/** One call to be made. */
export class Task {
  readonly taskId: string
  /** `name` is all that travels: a worker looks the function up by it. */
  readonly function: { readonly name: string }
  readonly args: readonly unknown[]
  readonly priority: Priority
  /** Seconds. */
  readonly delay: number
  /** How often it has been tried, as far as that is known; undefined before it is enqueued. */
  readonly attempts: number | undefined

  constructor(fields: TaskFields & { readonly attempts?: number }) {
    this.taskId = fields.taskId ?? randomUUID()
    this.function = typeof fields.function === 'string' ? { name: fields.function } : fields.function
    this.args = fields.args ?? []
    this.priority = fields.priority ?? 'normal'
    this.delay = fields.delay ?? 0
    this.attempts = fields.attempts
    if (this.function.name === '') {
      throw new TypeError('A function without a name cannot be a task: give it one, so that workers can find it.')
    }
  }
}

export interface TaskQueueOptions<Tasks extends Functions> extends Packing {
  readonly backend: Backend
  /** Functions by name, so that `enqueue('name', …)` knows their arguments and workers find them. */
  readonly tasks?: Tasks
}

type ArgumentsOf<F> = F extends (...args: infer Args) => unknown ? Args : never

export class TaskQueue<Tasks extends Functions = Functions> {
  readonly backend: Backend
  readonly tasks: Tasks | undefined
  readonly packing: Packing

  constructor({ backend, tasks, ...packing }: TaskQueueOptions<Tasks>) {
    this.backend = backend
    this.tasks = tasks
    this.packing = packing
    for (const [name, run] of Object.entries(tasks ?? {})) backend.functions.set(name, run)
  }

  /**
   * Resolves to the task's id when the task is stored. By name (`enqueue('resize', 'a.png')`), by function
   * (`enqueue(resize, 'a.png')`: found by its name, so workers elsewhere must know it by that), or as a `Task`.
   */
  async enqueue<Name extends keyof Tasks & string>(name: Name, ...args: ArgumentsOf<Tasks[Name]>): Promise<string>
  async enqueue<Args extends readonly unknown[]>(run: (...args: [...Args]) => unknown, ...args: Args): Promise<string>
  async enqueue(task: Task): Promise<string>
  async enqueue(what: Task | AnyFunction | string, ...args: readonly unknown[]): Promise<string> {
    const task = what instanceof Task ? what : new Task({ function: what, args })
    await this.enqueueAll([task])
    return task.taskId
  }

  /** Many at once: one transaction. Resolves to their ids, in order. */
  async enqueueAll(tasks: readonly Task[]): Promise<readonly string[]> {
    for (const { function: named } of tasks) if (isFunction(named)) this.#know(named)
    await this.backend.send(tasks.map(task => this.#message(task)))
    return tasks.map(task => task.taskId)
  }

  /** Rejects if there is no such task. */
  async getTask(taskId: string): Promise<Task> {
    const row = this.backend.find(taskId)
    if (row === undefined) throw new Error(`There is no task "${taskId}" in ${this.backend.name}.`)
    return taskOf(row.body, this.packing, row.attempts)
  }

  /** Waits until the task has ended for good. A failure is a value: look at `isError`. Rejects after `timeout` seconds. */
  async result(taskId: string, options?: AwaitOptions): Promise<Result> {
    const { value, error, isError } = await this.backend.result(taskId, options)
    return new Result({ value: unpackValue(value, this.packing), isError, ...(error && { error }) })
  }

  /** Closes the files; what was in memory is gone. */
  async close(): Promise<void> {
    await this.backend.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #know(run: AnyFunction): void {
    const { functions } = this.backend
    const known = functions.get(run.name)
    if (known !== undefined && known !== run) {
      throw new TypeError(
        `This queue knows another function "${run.name}": workers tell functions apart by name, so rename one.`,
      )
    }
    functions.set(run.name, run)
  }

  #message(task: Task): OutgoingMessage & { readonly taskId: string } {
    const { taskId, priority, delay: delaySeconds } = task
    const data = { args: packArguments(task.args, this.packing) }
    const body = JSON.stringify({ task_id: taskId, data, type: task.function.name, priority })
    return { taskId, body, priority, delaySeconds }
  }
}

interface StoredTask {
  readonly task_id: string
  readonly type: string
  readonly priority: Priority
  readonly data: { readonly args: Json }
}

/** From the body of a message. */
export function taskOf(body: string, packing: Packing, attempts?: number): Task {
  const { task_id: taskId, type, priority, data }: StoredTask = JSON.parse(body)
  const args = unpackValue(data.args, packing)
  return new Task({
    taskId,
    function: type,
    args: Array.isArray(args) ? args : [],
    priority,
    ...(attempts === undefined ? undefined : { attempts }),
  })
}

function isFunction(value: object): value is AnyFunction {
  return typeof value === 'function'
}
