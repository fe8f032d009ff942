// The object store of the local cloud: files in a folder. Also reads the files and addresses that people name themselves.
import { createReadStream } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { codeOf, messageOf, UserError } from '../../core/errors.ts'
import type { Objects } from '../provider.ts'
import { isWebUrl, readWeb } from '../web-file.ts'

export class LocalObjects implements Objects {
  readonly #folder: string

  constructor(root: string) {
    this.#folder = objectsFolder(root)
  }

  async write(key: string, content: Uint8Array): Promise<string> {
    const path = join(this.#folder, ...key.split('/').map(encodeSegment))
    await mkdir(dirname(path), { recursive: true })
    // Readers see the whole object or none, whoever is killed.
    const temporary = `${path}.${process.pid}.part`
    await writeFile(temporary, content)
    await rename(temporary, path)
    return pathToFileURL(path).href
  }

  async *read(url: string): AsyncIterable<Uint8Array> {
    if (isWebUrl(url)) yield* readWeb(url)
    else yield* readFile(pathOf(url))
  }

  /** Only what `write` made: a file of the user's own is not ours to delete. */
  async remove(url: string): Promise<void> {
    const path = pathOf(url)
    const inside = relative(this.#folder, path)
    if (inside === '' || inside.startsWith('..')) {
      throw new UserError(`"${url}" is not in the object store ${this.#folder}, so it is not deleted.`)
    }
    await rm(path, { force: true })
  }
}

export function objectsFolder(root: string): string {
  return join(root, 'objects')
}

/** One file name for any text: never empty, never a way out of the folder. */
function encodeSegment(segment: string): string {
  return segment === '' || /^\.+$/.test(segment) ? `%${segment}` : encodeURIComponent(segment)
}

function pathOf(url: string): string {
  if (url.startsWith('file:')) return fileURLToPath(url)
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(url)?.[1]
  if (scheme !== undefined) {
    throw new UserError(`The local provider cannot read "${url}": use a path, file:, http: or https:, not ${scheme}:.`)
  }
  return resolve(url)
}

async function* readFile(path: string): AsyncIterable<Uint8Array> {
  try {
    yield* createReadStream(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw new UserError(`There is no file ${path}.`, { cause: error })
    if (codeOf(error) === 'EISDIR') throw new UserError(`${path} is a folder, not a file.`, { cause: error })
    throw new UserError(`File ${path} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
}
