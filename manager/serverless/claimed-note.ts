// The note as one look at the job uses it: claimed before anything is done to the cloud, so that of two looks at once only
// one acts; given back at the end. Orders of people, such as to stop, are never overwritten.
import { randomUUID } from 'node:crypto'
import type { Note, Notebook } from '../../infra/notebook.ts'
import { parseRemembered, type Remembered, renderRemembered } from './remembered.ts'

/** Somebody else acts on the job, or has ordered it to stop. Nothing was done. */
export class Superseded extends Error {
  override readonly name = 'Superseded'
}

export class ClaimedNote {
  readonly #notebook: Notebook
  readonly #jobId: string
  readonly #by = randomUUID()
  readonly #until: Date
  #read: Note | undefined
  #claimed = false

  /** `until`: this process is surely ended by then. */
  constructor(notebook: Notebook, { jobId, until }: { readonly jobId: string; readonly until: Date }) {
    this.#notebook = notebook
    this.#jobId = jobId
    this.#until = until
  }

  async read(): Promise<Remembered | undefined> {
    this.#read = await this.#notebook.read()
    return this.#read === undefined ? undefined : parseRemembered(this.#jobId, this.#read.text)
  }

  /** Durable when it resolves, and nobody else acts. Rejects with Superseded if somebody else was first. */
  async claim(remembered: Remembered): Promise<void> {
    const busy = { by: this.#by, until: this.#until }
    if (this.#claimed) await this.#readOwn()
    if (!(await this.#notebook.write(renderRemembered({ ...remembered, busy }), this.#read?.version))) {
      throw new Superseded('Another look at the job is under way.')
    }
    this.#claimed = true
  }

  /** Without a claim: only if nothing was written meanwhile; with one: together with an order that was given meanwhile. */
  async release(remembered: Remembered): Promise<void> {
    if (!this.#claimed) {
      const text = renderRemembered({ ...remembered, busy: undefined })
      if (text !== this.#read?.text) await this.#notebook.write(text, this.#read?.version) // else the next look sees the same
      return
    }
    for (let attempt = 0; attempt < RELEASE_TRIES; attempt++) {
      const current = await this.read()
      if (current?.busy?.by !== this.#by) return // our time was over, and somebody has gone on
      const stopped = current.stopped ?? remembered.stopped
      const text = renderRemembered({ ...remembered, stopped, busy: undefined })
      if (await this.#notebook.write(text, this.#read?.version)) return
    }
  }

  async #readOwn(): Promise<void> {
    const current = await this.read()
    if (current?.busy?.by !== this.#by) throw new Superseded('Another look at the job has taken over.')
    if (current.stopped !== undefined) throw new Superseded(`The job is to stop: ${current.stopped.because}.`)
  }
}

const RELEASE_TRIES = 5 // each lost one means that a person has just given an order
