// Reads a task file of any format as a stream of checked tasks, in constant memory; every error names file, line and task.
import { UserError } from '../../core/errors.ts'
import type { Task } from '../../core/task.ts'
import type { Objects } from '../provider.ts'
import { openBytes } from './file-bytes.ts'
import { readJsonArray } from './json-array.ts'
import { readJsonLines } from './json-lines.ts'
import { parseTask } from './parse-task.ts'
import { readYamlList } from './yaml-list.ts'

export interface ReadTaskFileOptions {
  /** Tasks passed over, unchecked, before the first one returned. */
  readonly skip?: number
  /** Most tasks returned. 0 or less = all, as in the Python system. */
  readonly limit?: number
  /** Needed for a location that is a URL other than file://. */
  readonly objects?: Objects
}

/** Some consecutive items of the file, parsed but not checked. */
export interface ItemGroup {
  readonly values: readonly unknown[]
  /** Where an item stands, found again only for an error message or a number that JavaScript cannot hold. */
  locate(index: number): ItemLocation
}

export interface ItemLocation {
  /** Counts from 1. */
  readonly line: number
  /** The item's own JSON; undefined where numbers are exact already. */
  readonly json?: string
}

export type ReadItems = (chunks: AsyncIterable<Uint8Array>, fileName: string) => AsyncIterable<ItemGroup>

/** Batches of about 1000–5000 small tasks; fewer of big ones. Text after the end of a JSON array is ignored. */
export async function* readTaskFile(
  location: string,
  { skip = 0, limit = 0, objects }: ReadTaskFileOptions = {},
): AsyncGenerator<readonly Task[]> {
  const { readItems, gzipped } = formatOf(location)
  let toSkip = Math.max(skip, 0)
  let left = limit > 0 ? limit : Number.POSITIVE_INFINITY
  for await (const group of readItems(openBytes(location, { gzipped, ...(objects && { objects }) }), location)) {
    const from = Math.min(toSkip, group.values.length)
    toSkip -= from
    const to = Math.min(group.values.length, from + left)
    left -= to - from
    if (from < to) yield checkItems(group, from, to, location)
    if (left === 0) return
  }
}

function checkItems(group: ItemGroup, from: number, to: number, fileName: string): readonly Task[] {
  const tasks: Task[] = []
  for (let index = from; index < to; index++) {
    tasks.push(parseTask(group.values[index], { fileName, locate: () => group.locate(index) }))
  }
  return tasks
}

const READERS: Readonly<Record<string, ReadItems>> = {
  json: readJsonArray,
  jsonl: readJsonLines,
  ndjson: readJsonLines,
  yaml: readYamlList,
  yml: readYamlList,
}

function formatOf(location: string): { readonly readItems: ReadItems; readonly gzipped: boolean } {
  const path = location.replace(/[?#].*$/, '')
  const [, suffix, gz] = /\.([a-z]+)(\.gz)?$/i.exec(path) ?? []
  const readItems = READERS[suffix?.toLowerCase() ?? '']
  if (readItems === undefined) {
    throw new UserError(
      `Task file ${location}: the name must end in .json, .jsonl, .ndjson, .yaml or .yml, each also with .gz behind it.`,
    )
  }
  return { readItems, gzipped: gz !== undefined }
}
