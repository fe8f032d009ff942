// The object store of a job on Google's cloud: a bucket that the user names. Also reads any gs:// object and web address that
// people name.

import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { type File, IdempotencyStrategy, Storage, type StorageOptions } from '@google-cloud/storage'
import { type Clock, systemClock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import { urlOf as addressOf, ownPlaceOf, type Place, placeOf } from '../bucket-address.ts'
import { objectKey } from '../object-key.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { Objects } from '../provider.ts'
import { readResumed } from '../resumed-read.ts'
import { isWebUrl, readWeb } from '../web-file.ts'
import { GcpConnection } from './connection.ts'
import { gcpFailure, gcpStatus } from './failure.ts'
import { readBytes } from './objects-bytes.ts'

const SERVICE = 'https://storage.googleapis.com'
const MAX_TRIES = 5 // about half a minute in all

export class GcpObjects implements Objects {
  readonly #settings: ProviderSettings
  readonly #connection: GcpConnection
  readonly #clock: Clock
  #opened: Promise<Storage> | undefined

  constructor(settings: ProviderSettings, { clock = systemClock }: { readonly clock?: Clock } = {}) {
    this.#settings = settings
    this.#connection = new GcpConnection(settings)
    this.#clock = clock
  }

  async write(key: string, content: Uint8Array): Promise<string> {
    const place: Place = { bucket: this.#ownBucket(), key: objectKey(key) }
    // One request: readers see the whole object or none, whoever is killed. Repeating it changes nothing.
    await this.#try(`writing ${urlOf(place)}`, place, async storage =>
      fileAt(storage, place).save(Buffer.from(content), { resumable: false, validation: 'crc32c' }),
    )
    return urlOf(place)
  }

  async *read(url: string): AsyncGenerator<Uint8Array> {
    if (isWebUrl(url)) yield* readWeb(url)
    else yield* this.#readObject(placeOf('gs', url))
  }

  /** Only what `write` made. */
  async remove(url: string): Promise<void> {
    const place = ownPlaceOf('gs', url, this.#ownBucket())
    await this.#try(`deleting ${url}`, place, storage => fileAt(storage, place).delete({ ignoreNotFound: true }))
  }

  /** Of one version, however often the connection breaks. */
  async *#readObject(place: Place): AsyncGenerator<Uint8Array> {
    const doing = `reading ${urlOf(place)}`
    const facts = await this.#try(doing, place, async storage => {
      const [{ generation, size, contentEncoding }] = await fileAt(storage, place).getMetadata()
      return { generation: String(generation), endByte: Number(size), packed: contentEncoding === 'gzip' }
    })
    const { generation, endByte, packed } = facts
    if (endByte === 0) return
    const bytes = readResumed({
      open: async fromByte => ({ bytes: this.#bytes(place, generation, fromByte), endByte }),
      failure: (error, atByte) => gcpFailure(error, { doing: `${doing}, at byte ${atByte}` }),
      clock: this.#clock,
    })
    if (packed && !place.key.endsWith('.gz')) yield* unpacked(bytes, place)
    else yield* bytes
  }

  async *#bytes(place: Place, generation: string, fromByte: number): AsyncGenerator<Uint8Array> {
    const endpoint = emulatorEndpoint(this.#settings) ?? SERVICE
    try {
      const token = await this.#connection.accessToken(endpoint)
      yield* readBytes({ ...place, endpoint, token, generation, fromByte })
    } catch (error) {
      if (gcpStatus(error) !== 404) throw error
      throw new UserError(`${urlOf(place)} was replaced while it was read: start again.`, { cause: error })
    }
  }

  #ownBucket(): string {
    const { bucket } = this.#settings
    if (bucket !== undefined) return bucket
    throw new UserError(
      'This job has no object store to write to: set "bucket" in the gcp section of the job file to the name of a Cloud Storage bucket.',
    )
  }

  #storage(): Promise<Storage> {
    this.#opened ??= openStorage(this.#connection)
    this.#opened.catch(() => {
      this.#opened = undefined // credentials may be mended while we run
    })
    return this.#opened
  }

  async #try<T>(doing: string, { bucket, key }: Place, work: (storage: Storage) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#storage())
    } catch (error) {
      if (gcpStatus(error) !== 404) throw gcpFailure(error, { doing })
      const there = await this.#bucketIsThere(bucket)
      const message = there
        ? `There is no object gs://${bucket}/${key}.`
        : `There is no bucket "${bucket}". Make it, or correct the name.`
      throw new UserError(message, { cause: error })
    }
  }

  /** The service's answer does not tell. Who may not ask is taken to know. */
  async #bucketIsThere(bucket: string): Promise<boolean> {
    try {
      const [there] = await (await this.#storage()).bucket(bucket).exists()
      return there
    } catch {
      return true
    }
  }
}

const urlOf = (place: Place) => addressOf('gs', place)

function fileAt(storage: Storage, { bucket, key }: Place): File {
  return storage.bucket(bucket).file(key)
}

/** `host:port` too, as Google's own tools take it. */
function emulatorEndpoint({ env }: ProviderSettings): string | undefined {
  const address = env.STORAGE_EMULATOR_HOST?.trim().replace(/\/+$/, '')
  return !address || /^https?:\/\//.test(address) ? address || undefined : `http://${address}`
}

async function openStorage(connection: GcpConnection): Promise<Storage> {
  const endpoint = emulatorEndpoint(connection.settings)
  const options: StorageOptions = {
    retryOptions: { maxRetries: MAX_TRIES, idempotencyStrategy: IdempotencyStrategy.RetryAlways },
    ...(endpoint ? { apiEndpoint: endpoint } : { authClient: await connection.authClient() }),
  }
  const storage = new Storage(options)
  // Where the environment of the process names an emulator, the SDK leaves out the path.
  if (endpoint) storage.baseUrl = `${endpoint}/storage/v1`
  return storage
}

async function* unpacked(bytes: AsyncIterable<Uint8Array>, place: Place): AsyncGenerator<Uint8Array> {
  const source = Readable.from(bytes, { objectMode: false })
  const plain = createGunzip()
  source.on('error', error => plain.destroy(error))
  try {
    yield* source.pipe(plain)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (!code.startsWith('Z_')) throw error
    throw new UserError(`${urlOf(place)} says that it is compressed by gzip, and is not.`, { cause: error })
  } finally {
    source.destroy()
    plain.destroy()
  }
}
