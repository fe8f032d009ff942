// The notebook of a job on Google's cloud: one object in the bucket that the job's stack makes, whose generation is the version.
// Whoever writes names the generation that has been read, and Cloud Storage refuses all but the first of them.
import { UserError } from '../../core/errors.ts'
import type { Note, Notebook } from '../notebook.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { JobRef } from '../provider.ts'
import { GcpConnection } from './connection.ts'
import { GcpError, gcpFailure } from './failure.ts'
import { GcpRest, textOf } from './rest.ts'
import { NOTES_PREFIX, stackBucket } from './stack-names.ts'

const OBJECT = `${NOTES_PREFIX}manager.json`
const NOT_THERE = '0' // the generation of an object that does not exist
const READS = 5 // of a note that is replaced again and again while it is read

export class GcpNotebook implements Notebook {
  readonly #connection: GcpConnection
  readonly #rest: GcpRest
  readonly #jobId: string

  constructor(settings: ProviderSettings, { jobId }: JobRef) {
    this.#connection = new GcpConnection(settings)
    this.#rest = new GcpRest(this.#connection, 'STORAGE')
    this.#jobId = jobId
  }

  async read(): Promise<Note | undefined> {
    const bucket = await this.#bucket()
    const path = `/storage/v1/b/${bucket}/o/${encodeURIComponent(OBJECT)}`
    for (let left = READS; ; left--) {
      const version = await this.#do('reading', async () =>
        textOf((await this.#rest.request('GET', path, { query: { fields: 'generation' } })).generation),
      )
      if (version === undefined) return undefined
      // The old one is gone as soon as it is replaced: then there is a newer one to read.
      const content = await this.#do('reading', () =>
        this.#rest.request('GET', path, { query: { alt: 'media', generation: version } }),
      )
      if (content !== undefined) return { text: textOf(content.text) ?? '', version }
      if (left === 0) throw new Error(`The note of job "${this.#jobId}" is replaced faster than it can be read.`)
    }
  }

  async write(text: string, version: string | undefined): Promise<boolean> {
    const query = { uploadType: 'media', name: OBJECT, ifGenerationMatch: version ?? NOT_THERE }
    const path = `/upload/storage/v1/b/${await this.#bucket()}/o`
    try {
      // One conditional request: it is there whole and alone, or not at all. Repeating it changes nothing.
      await this.#rest.request('POST', path, { query, body: { text }, repeatable: true })
      return true
    } catch (error) {
      if (!(error instanceof GcpError) || error.status !== 412) throw await this.#failure(error, 'writing')
      // A request that is repeated after its answer was lost finds its own version there.
      return (await this.read())?.text === text
    }
  }

  async #bucket(): Promise<string> {
    return stackBucket(await this.#connection.projectId(), this.#jobId)
  }

  /** undefined: there is no such object. */
  async #do<T>(doing: string, act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act()
    } catch (error) {
      if (error instanceof GcpError && error.status === 404 && (await this.#bucketIsThere())) return undefined
      throw await this.#failure(error, doing)
    }
  }

  /** Who may not ask is taken to know. */
  async #bucketIsThere(): Promise<boolean> {
    try {
      await this.#rest.request('GET', `/storage/v1/b/${await this.#bucket()}`, { query: { fields: 'name' } })
      return true
    } catch (error) {
      if (!(error instanceof GcpError)) throw error
      return error.status !== 404
    }
  }

  async #failure(error: unknown, doing: string): Promise<Error> {
    const bucket = await this.#bucket()
    if (error instanceof GcpError && error.status === 404) {
      return new UserError(
        `Job "${this.#jobId}" has no manager in the cloud: bucket ${bucket} does not exist. Deploy the job first.`,
        { cause: error },
      )
    }
    return gcpFailure(error, { doing: `${doing} what the manager remembers in gs://${bucket}/${OBJECT}` })
  }
}
