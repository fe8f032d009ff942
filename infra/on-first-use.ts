// Parts of a provider whose code and SDK clients are loaded when they are first used: the client of EC2 alone takes 96 MB,
// which agents, who need queues and nothing else, should not pay for.

import type { VmId } from '../core/ids.ts'
import type { Note, Notebook } from './notebook.ts'
import type {
  Catalog,
  Image,
  LaunchPlan,
  LaunchReport,
  ListOptions,
  Objects,
  Offer,
  OfferOptions,
  Pool,
  Region,
  Vm,
} from './provider.ts'

/** Loads a part and makes it. */
type Make<T> = () => Promise<T & { close?(): void }>

/** Made at most once; `close` closes it if it was. */
class OnFirstUse<T> {
  readonly #make: Make<T>
  #made: ReturnType<Make<T>> | undefined

  constructor(make: Make<T>) {
    this.#make = make
  }

  made(): ReturnType<Make<T>> {
    this.#made ??= this.#make()
    return this.#made
  }

  async close(): Promise<void> {
    const made = this.#made
    this.#made = undefined
    if (made !== undefined) (await made).close?.()
  }
}

export class CatalogOnFirstUse implements Catalog {
  readonly #catalog: OnFirstUse<Catalog>

  constructor(make: Make<Catalog>) {
    this.#catalog = new OnFirstUse(make)
  }

  async offers(options: OfferOptions): Promise<readonly Offer[]> {
    return (await this.#catalog.made()).offers(options)
  }

  async images(): Promise<readonly Image[]> {
    return (await this.#catalog.made()).images()
  }

  async regions(): Promise<readonly Region[]> {
    return (await this.#catalog.made()).regions()
  }

  close(): Promise<void> {
    return this.#catalog.close()
  }
}

export class NotebookOnFirstUse implements Notebook {
  readonly #notebook: OnFirstUse<Notebook>

  constructor(make: Make<Notebook>) {
    this.#notebook = new OnFirstUse(make)
  }

  async read(): Promise<Note | undefined> {
    return (await this.#notebook.made()).read()
  }

  async write(text: string, version: string | undefined): Promise<boolean> {
    return (await this.#notebook.made()).write(text, version)
  }

  close(): Promise<void> {
    return this.#notebook.close()
  }
}

export class ObjectsOnFirstUse implements Objects {
  readonly #objects: OnFirstUse<Objects>

  constructor(make: Make<Objects>) {
    this.#objects = new OnFirstUse(make)
  }

  async write(key: string, content: Uint8Array): Promise<string> {
    return (await this.#objects.made()).write(key, content)
  }

  async *read(url: string): AsyncGenerator<Uint8Array> {
    yield* (await this.#objects.made()).read(url)
  }

  async remove(url: string): Promise<void> {
    return (await this.#objects.made()).remove(url)
  }

  close(): Promise<void> {
    return this.#objects.close()
  }
}

export class PoolOnFirstUse implements Pool {
  readonly #pool: OnFirstUse<Pool>

  constructor(make: Make<Pool>) {
    this.#pool = new OnFirstUse(make)
  }

  async launch(plan: LaunchPlan): Promise<LaunchReport> {
    return (await this.#pool.made()).launch(plan)
  }

  async list(options?: ListOptions): Promise<readonly Vm[]> {
    return (await this.#pool.made()).list(options)
  }

  async terminate(ids: readonly VmId[]): Promise<void> {
    return (await this.#pool.made()).terminate(ids)
  }

  close(): Promise<void> {
    return this.#pool.close()
  }
}
