// Amazon's cloud: queues are SQS queues, VMs are EC2 instances of the job's launch template.
import type { Notebook } from '../notebook.ts'
import { CatalogOnFirstUse, NotebookOnFirstUse, ObjectsOnFirstUse, PoolOnFirstUse } from '../on-first-use.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { Catalog, Instance, JobRef, Objects, Pool, Provider, Queue, QueueOptions } from '../provider.ts'
import type { Stack } from '../stack.ts'
import { AwsInstance } from './instance.ts'
import { AWS_LIMITS } from './limits.ts'
import { SqsQueue } from './queue.ts'
import { SqsConnection } from './queue-connection.ts'
import { AwsStack } from './stack.ts'

export function openProvider(settings: ProviderSettings): Provider {
  return new AwsProvider(settings)
}

export function openStack(settings: ProviderSettings): Stack {
  return new AwsStack(settings)
}

class AwsProvider implements Provider {
  readonly name = 'aws'
  readonly limits = AWS_LIMITS
  readonly #settings: ProviderSettings
  /** One client and one book of leases, however many handles. */
  readonly #sqs: SqsConnection
  readonly #parts: { close(): Promise<void> }[] = []

  constructor(settings: ProviderSettings) {
    this.#settings = settings
    this.#sqs = new SqsConnection(settings)
  }

  openQueue(name: string, { leaseSeconds }: QueueOptions): Queue {
    return new SqsQueue(name, this.#sqs, leaseSeconds)
  }

  openPool(job: JobRef): Pool {
    return this.#closing(new PoolOnFirstUse(async () => new (await import('./pool.ts')).AwsPool(this.#settings, job)))
  }

  openInstance(): Instance {
    return new AwsInstance(this.#settings)
  }

  openCatalog(): Catalog {
    return this.#closing(
      new CatalogOnFirstUse(async () => new (await import('./catalog.ts')).AwsCatalog(this.#settings)),
    )
  }

  openObjects(): Objects {
    return this.#closing(
      new ObjectsOnFirstUse(async () => new (await import('./objects.ts')).AwsObjects(this.#settings)),
    )
  }

  openNotebook(job: JobRef): Notebook {
    return this.#closing(
      new NotebookOnFirstUse(async () => new (await import('./notebook.ts')).AwsNotebook(this.#settings, job)),
    )
  }

  async close(): Promise<void> {
    await this.#sqs.close()
    for (const part of this.#parts.splice(0)) await part.close()
  }

  #closing<T extends { close(): Promise<void> }>(part: T): T {
    this.#parts.push(part)
    return part
  }
}
