// The local cloud: queues are SQLite files, VMs are process groups, all under one folder. No account, no network.
import type { Notebook } from '../notebook.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { Catalog, Instance, JobRef, Objects, Pool, Provider, Queue, QueueOptions } from '../provider.ts'
import type { Stack } from '../stack.ts'
import { LocalCatalog } from './catalog.ts'
import { LocalInstance } from './instance.ts'
import { LOCAL_LIMITS } from './limits.ts'
import { LocalNotebook } from './notebook.ts'
import { LocalObjects } from './objects.ts'
import { LocalPool } from './pool.ts'
import { LocalQueue, queueFilePath } from './queue.ts'
import { QUEUE_FORMAT } from './queue-schema.ts'
import { localRoot } from './root.ts'
import { SqliteFile } from './sqlite-file.ts'
import { LocalStack } from './stack.ts'

export function openProvider(settings: ProviderSettings): Provider {
  return new LocalProvider(settings)
}

export function openStack(settings: ProviderSettings): Stack {
  return new LocalStack(localRoot(settings), () => openProvider(settings))
}

class LocalProvider implements Provider {
  readonly name = 'local'
  readonly limits = LOCAL_LIMITS
  readonly #settings: ProviderSettings
  readonly #root: string
  /** One open file a queue, however many handles: transactions are synchronous, so handles cannot get in each other's way. */
  readonly #files = new Map<string, SqliteFile>()
  readonly #closables: { close(): void }[] = []

  constructor(settings: ProviderSettings) {
    this.#settings = settings
    this.#root = localRoot(settings)
  }

  openQueue(name: string, { leaseSeconds }: QueueOptions): Queue {
    const path = queueFilePath(this.#root, name)
    let file = this.#files.get(path)
    if (file === undefined) {
      file = new SqliteFile(path, QUEUE_FORMAT)
      this.#files.set(path, file)
    }
    return new LocalQueue(name, file, leaseSeconds)
  }

  openPool(job: JobRef): Pool {
    const pool = new LocalPool(this.#root, job, this.#settings.local ?? {})
    this.#closables.push(pool)
    return pool
  }

  openInstance(): Instance {
    return new LocalInstance(this.#root, this.#settings.env)
  }

  openCatalog(): Catalog {
    return new LocalCatalog(this.#settings.local ?? {})
  }

  openObjects(): Objects {
    return new LocalObjects(this.#root)
  }

  openNotebook({ jobId }: JobRef): Notebook {
    const notebook = new LocalNotebook(this.#root, jobId)
    this.#closables.push(notebook)
    return notebook
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) file.close()
    for (const opened of this.#closables) opened.close()
  }
}
