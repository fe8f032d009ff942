// The local cloud: queues are SQLite files, VMs are process groups, all under one folder. No account, no network.
import { resolve } from 'node:path'
import type { ProviderSettings } from '../open-provider.ts'
import type { Catalog, Instance, JobRef, Objects, Pool, Provider, Queue, QueueOptions } from '../provider.ts'
import type { Stack } from '../stack.ts'
import { LOCAL_LIMITS } from './limits.ts'
import { LocalQueue, queueFilePath } from './queue.ts'
import { QUEUE_FORMAT } from './queue-schema.ts'
import { localRoot } from './root.ts'
import { SqliteFile } from './sqlite-file.ts'

export function openProvider(settings: ProviderSettings): Provider {
  return new LocalProvider(settings)
}

export function openStack(_settings: ProviderSettings): Stack {
  throw new Error('not yet')
}

class LocalProvider implements Provider {
  readonly name = 'local'
  readonly limits = LOCAL_LIMITS
  readonly #root: string
  /** One open file a queue, however many handles: transactions are synchronous, so handles cannot get in each other's way. */
  readonly #files = new Map<string, SqliteFile>()

  constructor(settings: ProviderSettings) {
    this.#root = resolve(localRoot(settings))
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

  openPool(_job: JobRef): Pool {
    throw new Error('not yet')
  }

  openInstance(): Instance {
    throw new Error('not yet')
  }

  openCatalog(): Catalog {
    throw new Error('not yet')
  }

  openObjects(): Objects {
    throw new Error('not yet')
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) file.close()
    this.#files.clear()
  }
}
