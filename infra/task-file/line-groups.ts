// Cuts a stream of bytes behind line breaks: groups of whole lines, as many as a chunk holds.
import { UserError } from '../../core/errors.ts'

export interface LineGroup {
  readonly bytes: Buffer
  /** Number of the first line, from 1. */
  readonly line: number
}

const MAX_LINE_BYTES = 64 * 1024 * 1024 // more than any queue takes
const LINE_FEED = 0x0a

export async function* readLineGroups(chunks: AsyncIterable<Uint8Array>, fileName: string): AsyncGenerator<LineGroup> {
  let rest = Buffer.alloc(0)
  let line = 1
  let first = true
  for await (const chunk of chunks) {
    const buffer = Buffer.concat([rest, first ? withoutByteOrderMark(chunk) : chunk])
    first = false
    const end = buffer.lastIndexOf(LINE_FEED) + 1
    rest = buffer.subarray(end)
    if (rest.length > MAX_LINE_BYTES) {
      throw new UserError(`Task file ${fileName}: a line is longer than 64 MB. Write one task a line.`)
    }
    if (end === 0) continue
    const bytes = buffer.subarray(0, end)
    yield { bytes, line }
    line += countLineFeeds(bytes)
  }
  if (rest.length > 0) yield { bytes: rest, line }
}

function withoutByteOrderMark(chunk: Uint8Array): Uint8Array {
  return chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf ? chunk.subarray(3) : chunk
}

function countLineFeeds(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) count++
  return count
}
