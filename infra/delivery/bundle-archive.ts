// Packs the folder that a job ships to its VMs.
import { readdir, readlink } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { codeOf, UserError } from '../../core/errors.ts'
import { type Archive, packArchive } from './archive.ts'

const NEVER = new Set(['.git', '.cloud-tasks'])
const DATABASE = /\.db(-wal|-shm|-journal)?$/ // of this or another job; may be gigabytes
const MAX_FILES = 200_000 // a folder named by mistake, such as the home folder

/** Throws a UserError if the folder is not there, is far too large, or has links that lead out of it. */
export async function packBundle(bundle: string, folder: string): Promise<Archive> {
  const paths = await filesOf(bundle)
  if (paths.length === 0) throw new UserError(`bundle ${bundle} is empty: nothing would reach the VMs.`)
  return packArchive({ root: bundle, paths }, { folder, name: 'bundle' })
}

async function filesOf(bundle: string): Promise<string[]> {
  const found: string[] = []
  const folders = ['']
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await list(bundle, folder)) {
      const path = join(folder, entry.name)
      if (NEVER.has(entry.name) || (entry.isFile() && DATABASE.test(entry.name))) continue
      if (entry.isSymbolicLink()) await checkLink(bundle, path)
      else if (!entry.isFile() && !entry.isDirectory()) continue // sockets and the like
      if (entry.isDirectory()) folders.push(path)
      found.push(path)
      if (found.length > MAX_FILES) {
        throw new UserError(
          `bundle ${bundle} has more than ${MAX_FILES} files; name a folder with just the task's files.`,
        )
      }
    }
  }
  return found
}

async function list(bundle: string, folder: string) {
  try {
    return await readdir(join(bundle, folder), { withFileTypes: true })
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') throw new UserError(`bundle ${bundle} does not exist.`, { cause })
    if (codeOf(cause) === 'ENOTDIR') throw new UserError(`bundle ${bundle} is not a folder.`, { cause })
    throw new UserError(`bundle ${bundle}: ${join(bundle, folder)} cannot be read.`, { cause })
  }
}

async function checkLink(bundle: string, path: string): Promise<void> {
  const target = await readlink(join(bundle, path))
  const inside = relative(bundle, resolve(dirname(join(bundle, path)), target))
  if (isAbsolute(target) || inside.startsWith('..')) {
    throw new UserError(
      `bundle ${bundle}: the link ${path} leads out of the bundle, to ${target}. Copy what it leads to.`,
    )
  }
}
