// Google's cloud: queues are Pub/Sub topics with a subscription each, VMs are Compute Engine instances of the job's template.
import { UserError } from '../../core/errors.ts'
import type { Notebook } from '../notebook.ts'
import { CatalogOnFirstUse, NotebookOnFirstUse, ObjectsOnFirstUse, PoolOnFirstUse } from '../on-first-use.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { Catalog, Instance, JobRef, Objects, Pool, Provider, Queue, QueueOptions } from '../provider.ts'
import type { Stack } from '../stack.ts'
import { GcpConnection } from './connection.ts'
import { GcpInstance } from './instance.ts'
import { GCP_LIMITS } from './limits.ts'
import { PubSubQueue } from './queue.ts'
import { PubSubConnection } from './queue-connection.ts'

export function openProvider(settings: ProviderSettings): Provider {
  return new GcpProvider(settings)
}

export function openStack(_settings: ProviderSettings): Stack {
  throw new UserError(
    'Jobs on Google Cloud are deployed by Pulumi itself in this version: in infra/gcp of a clone, run "npm ci", ' +
      '"pulumi config set jobFile …" and "pulumi up", then load_queue; "pulumi destroy" removes everything.',
  )
}

class GcpProvider implements Provider {
  readonly name = 'gcp'
  readonly limits = GCP_LIMITS
  readonly #settings: ProviderSettings
  /** One pair of clients and one book of leases, however many handles. */
  readonly #pubsub: PubSubConnection
  readonly #parts: { close(): Promise<void> }[] = []

  constructor(settings: ProviderSettings) {
    this.#settings = settings
    this.#pubsub = new PubSubConnection(new GcpConnection(settings))
  }

  openQueue(name: string, { leaseSeconds }: QueueOptions): Queue {
    return new PubSubQueue(name, this.#pubsub, leaseSeconds)
  }

  openPool(job: JobRef): Pool {
    return this.#closing(new PoolOnFirstUse(async () => new (await import('./pool.ts')).GcpPool(this.#settings, job)))
  }

  openInstance(): Instance {
    return new GcpInstance(this.#settings)
  }

  openCatalog(): Catalog {
    return this.#closing(
      new CatalogOnFirstUse(async () => new (await import('./catalog.ts')).GcpCatalog(this.#settings)),
    )
  }

  openObjects(): Objects {
    return this.#closing(
      new ObjectsOnFirstUse(async () => new (await import('./objects.ts')).GcpObjects(this.#settings)),
    )
  }

  openNotebook(job: JobRef): Notebook {
    return this.#closing(
      new NotebookOnFirstUse(async () => new (await import('./notebook.ts')).GcpNotebook(this.#settings, job)),
    )
  }

  async close(): Promise<void> {
    await this.#pubsub.close()
    for (const part of this.#parts.splice(0)) await part.close()
  }

  #closing<T extends { close(): Promise<void> }>(part: T): T {
    this.#parts.push(part)
    return part
  }
}
