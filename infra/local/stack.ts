// The stack seam of the local cloud: what is static of a job are its three queues and its objects.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { deadLetterQueueName, eventQueueName } from '../../core/names.ts'
import type { Provider, Queue } from '../provider.ts'
import type { Deployment, DownOptions, Stack, StackChange, StackSpec } from '../stack.ts'
import { LocalNotebook } from './notebook.ts'
import { objectsFolder } from './objects.ts'
import { queueFilePath } from './queue.ts'

export class LocalStack implements Stack {
  readonly #root: string
  readonly #openProvider: () => Provider

  constructor(root: string, openProvider: () => Provider) {
    this.#root = root
    this.#openProvider = openProvider
  }

  async preview(spec: StackSpec): Promise<readonly StackChange[]> {
    return this.#withQueues(spec, async queues => {
      const changes: StackChange[] = []
      for (const [purpose, queue] of queues) {
        if ((await queue.admin.depth()) === undefined) {
          changes.push({ action: 'create', resource: `${purpose} ${queueFilePath(this.#root, queue.name)}` })
        }
      }
      return changes
    })
  }

  async up(spec: StackSpec): Promise<Deployment> {
    return this.#withQueues(spec, async queues => {
      const depths = await Promise.all(queues.map(([, queue]) => queue.admin.depth()))
      for (const [, queue] of queues) await queue.admin.ensure()
      const paths = queues.map(([purpose, queue]) => [purpose, queueFilePath(this.#root, queue.name)])
      return { outputs: Object.fromEntries(paths), created: depths.every(depth => depth === undefined) }
    })
  }

  async down(spec: StackSpec, { keepResults = false }: DownOptions = {}): Promise<void> {
    await this.#withQueues(spec, async queues => {
      for (const [, queue] of queues) await queue.admin.remove()
    })
    const notebook = new LocalNotebook(this.#root, spec.jobId)
    await notebook.remove()
    notebook.close()
    if (!keepResults) await rm(join(objectsFolder(this.#root), spec.jobId), { recursive: true, force: true })
  }

  async #withQueues<Result>(
    { queueName, config }: StackSpec,
    work: (queues: readonly (readonly [purpose: string, queue: Queue])[]) => Promise<Result>,
  ): Promise<Result> {
    const provider = this.#openProvider()
    const open = (name: string) => provider.openQueue(name, { leaseSeconds: config.tasks.leaseSeconds })
    try {
      return await work([
        ['task queue', open(queueName)],
        ['event queue', open(eventQueueName(queueName))],
        ['dead-letter queue', open(deadLetterQueueName(queueName))],
      ])
    } finally {
      await provider.close()
    }
  }
}
