// The programs of a job in the user's bucket: packed, put there before the stack that refers to them, removed after it.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'
import { zipSync } from 'fflate'
import { UserError } from '../../core/errors.ts'
import type { ProviderSettings } from '../open-provider.ts'
import type { StackSpec } from '../stack.ts'
import { awsClientConfig } from './connection.ts'
import { awsErrorCode, awsFailure } from './failure.ts'
import { jobProgramsPrefix, managerFolder, packForVms, type StoredPrograms } from './programs.ts'

export interface ReadyProgram {
  readonly key: string
  readonly sha512: string
  content(): Promise<Uint8Array>
}

export type ReadyPrograms = Partial<Record<keyof StoredPrograms, ReadyProgram>>

/** Everything that has to lie in a bucket; written into `folder` meanwhile. */
export async function packPrograms({ jobId, config, manager }: StackSpec, folder: string): Promise<ReadyPrograms> {
  const prefix = jobProgramsPrefix(jobId)
  const { agent, bundle } = await packForVms(config, folder)
  const ofFile = ({ path, sha512 }: { path: string; sha512: string }): ReadyProgram => ({
    key: prefix + basename(path),
    sha512,
    content: () => readFile(path),
  })
  return {
    ...(agent && { agent: ofFile(agent) }),
    ...(bundle && { bundle: ofFile(bundle) }),
    ...(manager === 'serverless' && { manager: packManager(prefix) }),
  }
}

const ZIP_EPOCH = '1980-01-01T12:00:00' // the first that a .zip can say: the same content gives the same bytes

function packManager(prefix: string): ReadyProgram {
  const folder = managerFolder()
  const files = readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isFile())
  const named = files.map(({ name }) => [name, new Uint8Array(readFileSync(join(folder, name)))] as const)
  const zip = zipSync(Object.fromEntries(named.toSorted(([a], [b]) => (a < b ? -1 : 1))), {
    level: 9,
    mtime: ZIP_EPOCH,
  })
  const sha512 = createHash('sha512').update(zip).digest('hex')
  return { key: `${prefix}manager-${sha512.slice(0, 16)}.zip`, sha512, content: async () => zip }
}

/** Where each lies. Throws a UserError if something has to lie somewhere and the job names no bucket. */
export function placeInBucket(programs: ReadyPrograms, bucket: string | undefined): StoredPrograms {
  const names = Object.keys(programs)
  if (bucket === undefined && names.length > 0) {
    throw new UserError(
      `The ${names.join(' and the ')} of the job must lie where AWS can fetch ${names.length > 1 ? 'them' : 'it'}: set ` +
        'bucket under aws: in the job file to the name of an S3 bucket.',
    )
  }
  const placed = Object.entries(programs).map(([name, { key, sha512 }]) => [name, { bucket, key, sha512 }] as const)
  return Object.fromEntries(placed)
}

const SLOWEST_BYTES_PER_MS = 20

export class ProgramStore {
  readonly #settings: ProviderSettings
  readonly #region: string
  readonly #bucket: string

  constructor(settings: ProviderSettings, region: string, bucket: string) {
    this.#settings = settings
    this.#region = region
    this.#bucket = bucket
  }

  /** What is there already is not sent again: its name says its content, and nobody but deployers may write there. */
  async put({ key, content }: Pick<ReadyProgram, 'key' | 'content'>): Promise<void> {
    const bytes = await content()
    const client = this.#client(bytes.length)
    try {
      if (await this.#has(client, key, bytes.length)) return
      await client.send(new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: bytes }))
    } catch (error) {
      throw this.#failure(error, `putting s3://${this.#bucket}/${key}`)
    } finally {
      client.destroy()
    }
  }

  /** Every object under the prefix but these. A bucket that is gone has none. */
  async removeAllBut(prefix: string, kept: ReadonlySet<string>): Promise<void> {
    const client = this.#client(0)
    try {
      for await (const { Contents = [] } of paginateListObjectsV2(
        { client },
        { Bucket: this.#bucket, Prefix: prefix },
      )) {
        for (const { Key: key } of Contents) {
          if (key === undefined || kept.has(key)) continue
          await client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key }))
        }
      }
    } catch (error) {
      if (awsErrorCode(error) === 'NoSuchBucket') return
      throw this.#failure(error, `removing the objects under s3://${this.#bucket}/${prefix}`)
    } finally {
      client.destroy()
    }
  }

  /** By which CloudFormation reads an object. */
  urlOf(key: string): string {
    const { endpoint } = awsClientConfig(this.#settings, 'S3', { region: this.#region })
    return endpoint === undefined
      ? `https://${this.#bucket}.s3.${this.#region}.amazonaws.com/${key}`
      : `${endpoint.replace(/\/$/, '')}/${this.#bucket}/${key}`
  }

  async #has(client: S3Client, key: string, byteCount: number): Promise<boolean> {
    try {
      const { ContentLength } = await client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: key }))
      return ContentLength === byteCount
    } catch (error) {
      if (['NotFound', 'NoSuchKey'].includes(awsErrorCode(error))) return false
      if (awsErrorCode(error) === '403') return false // who may not list is told so of what is not there
      throw error
    }
  }

  #client(byteCount: number): S3Client {
    const config = awsClientConfig(this.#settings, 'S3', { region: this.#region })
    const { requestHandler } = config
    const requestTimeout = requestHandler.requestTimeout + byteCount / SLOWEST_BYTES_PER_MS
    return new S3Client({
      ...config,
      forcePathStyle: config.endpoint !== undefined, // names below a private address rarely resolve
      requestHandler: { ...requestHandler, requestTimeout },
    })
  }

  #failure(error: unknown, doing: string): Error {
    if (awsErrorCode(error) === 'NoSuchBucket') {
      return new UserError(`There is no bucket "${this.#bucket}" in ${this.#region}: make it, or name another.`, {
        cause: error,
      })
    }
    return awsFailure(error, { doing, region: this.#region })
  }
}
