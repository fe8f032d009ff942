// Packs files into a .tar.gz that is the same for the same content, byte for byte: its checksum can name it.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { create } from 'tar'

export interface Archive {
  readonly path: string
  /** Hexadecimal. */
  readonly sha512: string
  readonly byteCount: number
}

export interface ArchiveContent {
  readonly root: string
  /** Relative to `root`; folders stand for nothing but themselves. */
  readonly paths: readonly string[]
}

/** Written to `folder` under a name made of `name` and the checksum. Times and owners of the files are not kept. */
export async function packArchive(
  { root, paths }: ArchiveContent,
  { folder, name }: { readonly folder: string; readonly name: string },
): Promise<Archive> {
  const draft = join(folder, `${name}.${process.pid}.draft`)
  await create(
    { file: draft, cwd: root, gzip: { level: 9 }, portable: true, mtime: new Date(0), noDirRecurse: true },
    paths.toSorted(),
  )
  const hash = createHash('sha512')
  await pipeline(createReadStream(draft), hash)
  const sha512 = hash.digest('hex')
  const path = join(folder, `${name}-${sha512.slice(0, 16)}.tar.gz`)
  await rename(draft, path)
  return { path, sha512, byteCount: (await stat(path)).size }
}
