// The bytes of a file, wherever it is and whether or not it is compressed.
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { createGunzip } from 'node:zlib'
import { codeOf, messageOf, UserError } from '../../core/errors.ts'
import type { Objects } from '../provider.ts'

export async function* openBytes(
  location: string,
  { gzipped, objects }: { readonly gzipped: boolean; readonly objects?: Objects },
): AsyncGenerator<Uint8Array> {
  const bytes = isUrl(location) ? readUrl(location, objects) : readLocal(location)
  yield* gzipped ? gunzip(bytes, location) : bytes
}

function isUrl(location: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(location)
}

function readUrl(url: string, objects: Objects | undefined): AsyncIterable<Uint8Array> {
  if (objects !== undefined) return objects.read(url)
  if (url.startsWith('file://')) return readLocal(fileURLToPath(url))
  throw new UserError(`Task file ${url}: a URL can be read only with a provider. Download it and give its path.`)
}

// Small enough that a batch of tasks stays small, big enough that a read costs nothing per task.
const CHUNK_BYTES = 64 * 1024

async function* readLocal(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path).catch(error => {
    throw unreadable(path, error)
  })
  try {
    for (;;) {
      const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES).catch(error => {
        throw unreadable(path, error)
      })
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

async function* gunzip(bytes: AsyncIterable<Uint8Array>, location: string): AsyncGenerator<Uint8Array> {
  const source = Readable.from(bytes, { objectMode: false, highWaterMark: CHUNK_BYTES })
  const plain = createGunzip({ chunkSize: CHUNK_BYTES })
  source.on('error', error => plain.destroy(error))
  try {
    yield* source.pipe(plain)
  } catch (error) {
    if (error instanceof UserError) throw error
    const code = codeOf(error)
    if (code === 'Z_BUF_ERROR') throw new UserError(`Task file ${location} is truncated: its gzip data ends too early.`)
    if (code?.startsWith('Z_')) throw new UserError(`Task file ${location} is not valid gzip (${messageOf(error)}).`)
    throw error
  } finally {
    source.destroy()
    plain.destroy()
  }
}

function unreadable(path: string, error: unknown): unknown {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new UserError(`Task file ${path} does not exist.`, { cause: error })
    case 'EISDIR':
      return new UserError(`Task file ${path} is a folder. Give the path of a file.`, { cause: error })
    case 'EACCES':
    case 'EPERM':
      return new UserError(`Task file ${path} may not be read by this user.`, { cause: error })
    default:
      return error
  }
}
