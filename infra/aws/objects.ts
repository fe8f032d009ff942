// The object store of a job on AWS: a bucket that the user names. Also reads any s3:// object and web address that people name.
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { type Clock, systemClock } from '../../core/clock.ts'
import { UserError } from '../../core/errors.ts'
import { urlOf as addressOf, ownPlaceOf, type Place, placeOf } from '../bucket-address.ts'
import { objectKey } from '../object-key.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { Objects } from '../provider.ts'
import { readResumed } from '../resumed-read.ts'
import { isWebUrl, readWeb } from '../web-file.ts'
import { awsClientConfig } from './connection.ts'
import { awsErrorCode, awsFailure } from './failure.ts'
import { awsRegionIfKnown } from './region.ts'

const ANY_REGION = 'us-east-1' // each says where a bucket is, and the client follows: a task file needs no region

export class AwsObjects implements Objects {
  readonly #settings: ProviderSettings
  readonly #clock: Clock
  #opened: S3Client | undefined

  constructor(settings: ProviderSettings, { clock = systemClock }: { readonly clock?: Clock } = {}) {
    this.#settings = settings
    this.#clock = clock
  }

  async write(key: string, content: Uint8Array): Promise<string> {
    const bucket = this.#ownBucket()
    const place: Place = { bucket, key: objectKey(key) }
    // One request: readers see the whole object or none, whoever is killed.
    await this.#client()
      .send(new PutObjectCommand({ Bucket: bucket, Key: place.key, Body: content }))
      .catch(error => this.#fail(error, `writing ${urlOf(place)}`, place))
    return urlOf(place)
  }

  async *read(url: string): AsyncGenerator<Uint8Array> {
    if (isWebUrl(url)) yield* readWeb(url)
    else yield* this.#readObject(placeOf('s3', url))
  }

  /** Only what `write` made. */
  async remove(url: string): Promise<void> {
    const place = ownPlaceOf('s3', url, this.#ownBucket())
    await this.#client()
      .send(new DeleteObjectCommand({ Bucket: place.bucket, Key: place.key }))
      .catch(error => this.#fail(error, `deleting ${url}`, place))
  }

  close(): void {
    this.#opened?.destroy()
    this.#opened = undefined
  }

  /** A connection that breaks midway is made again, as long as the object is still the same one. */
  #readObject(place: Place): AsyncGenerator<Uint8Array> {
    let etag: string | undefined
    return readResumed({
      open: async fromByte => {
        const answer = await this.#open(place, fromByte, etag)
        etag = answer.ETag
        const { ContentLength: length } = answer
        return { bytes: bytesOf(answer), endByte: length === undefined ? undefined : fromByte + length }
      },
      failure: (error, atByte) => awsFailure(error, { doing: `reading ${urlOf(place)}, at byte ${atByte}` }),
      clock: this.#clock,
    })
  }

  async #open(place: Place, offset: number, etag: string | undefined): Promise<GetObjectCommandOutput> {
    const rest = offset === 0 ? {} : { Range: `bytes=${offset}-`, ...(etag && { IfMatch: etag }) }
    const answer = await this.#client()
      .send(new GetObjectCommand({ Bucket: place.bucket, Key: place.key, ...rest }))
      .catch(error => this.#fail(error, `reading ${urlOf(place)}`, place))
    if (offset > 0 && !answer.ContentRange?.startsWith(`bytes ${offset}-`)) {
      throw new Error(`Reading ${urlOf(place)} failed: the store cannot go on at byte ${offset} after a break.`)
    }
    return answer
  }

  #ownBucket(): string {
    const { bucket } = this.#settings
    if (bucket !== undefined) return bucket
    throw new UserError(
      'This job has no object store to write to: set "bucket" in the aws section of the job file to the name of an S3 bucket.',
    )
  }

  #client(): S3Client {
    if (this.#opened !== undefined) return this.#opened
    const region = awsRegionIfKnown(this.#settings) ?? ANY_REGION
    const config = awsClientConfig(this.#settings, 'S3', { region })
    this.#opened = new S3Client({
      ...config,
      forcePathStyle: config.endpoint !== undefined, // names below a private address rarely resolve
      followRegionRedirects: true, // task files may be in anybody's bucket, in any region
      responseChecksumValidation: 'WHEN_REQUIRED', // the checking stream would hide where a connection broke
    })
    return this.#opened
  }

  #fail(error: unknown, doing: string, { bucket, key }: Place): never {
    const code = awsErrorCode(error)
    const cause = { cause: error }
    if (code === 'NoSuchBucket')
      throw new UserError(`There is no bucket "${bucket}". Make it, or correct the name.`, cause)
    if (code === 'NoSuchKey' || code === 'NotFound')
      throw new UserError(`There is no object s3://${bucket}/${key}.`, cause)
    if (code === 'PreconditionFailed')
      throw new UserError(`s3://${bucket}/${key} was replaced while it was read: start again.`, cause)
    throw awsFailure(error, { doing })
  }
}

const urlOf = (place: Place) => addressOf('s3', place)

function bytesOf({ Body }: GetObjectCommandOutput): AsyncIterable<Uint8Array> {
  // In Node the SDK gives a Readable, which its type for all platforms does not say.
  if (Body !== undefined && Symbol.asyncIterator in Body) return Body as AsyncIterable<Uint8Array>
  throw new Error('S3 answered without a body.')
}
