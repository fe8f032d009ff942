// Streams a JSON array: finds where its elements end without parsing them, then parses as many at once as a chunk holds.
import { isUtf8 } from 'node:buffer'
import { messageOf, UserError } from '../../core/errors.ts'
import type { ItemGroup, ItemLocation } from './read-task-file.ts'

export async function* readJsonArray(chunks: AsyncIterable<Uint8Array>, fileName: string): AsyncGenerator<ItemGroup> {
  const scanner = new ArrayScanner(fileName)
  for await (const chunk of chunks) {
    const found = scanner.push(chunk)
    if (found !== undefined) yield parseElements(found, fileName)
    if (scanner.done) return
  }
  throw scanner.endedTooEarly()
}

/** Consecutive elements with the commas between them. */
interface Elements {
  readonly bytes: Buffer
  /** Of the first byte. */
  readonly line: number
}

// More than any queue takes; a missing quote must not make us read a whole big file into memory.
const MAX_ELEMENT_BYTES = 64 * 1024 * 1024

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const LINE_FEED = 0x0a
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

class ArrayScanner {
  done = false
  readonly #fileName: string
  #started = false
  #anyElement = false
  /** What is read but not yet returned: starts behind the last comma between elements. */
  #rest: Buffer = Buffer.alloc(0)
  #restLine = 1
  /** The scanner's state at the end of #rest. */
  #line = 1
  #depth = 0
  #inText = false
  #escaped = false

  constructor(fileName: string) {
    this.#fileName = fileName
  }

  /** The elements that are complete now; undefined if none is. */
  push(chunk: Uint8Array): Elements | undefined {
    let from = this.#rest.length
    let buffer =
      from === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat([this.#rest, chunk])
    if (!this.#started) {
      const start = this.#findStart(buffer)
      if (start === undefined) {
        this.#rest = buffer
        return undefined
      }
      buffer = buffer.subarray(start)
      from = 0
    }
    const line = this.#restLine
    const end = this.#findLastEnd(buffer, from)
    if (end === undefined) {
      this.#rest = buffer
      if (buffer.length > MAX_ELEMENT_BYTES)
        throw this.#wrong(line, 'one task is longer than 64 MB, or a bracket is not closed')
      return undefined
    }
    this.#rest = buffer.subarray(end + 1)
    const bytes = buffer.subarray(0, end)
    if (this.done && isBlank(bytes)) {
      if (this.#anyElement) throw this.#wrong(this.#line, 'a comma stands before the closing bracket. Remove it')
      return undefined
    }
    this.#anyElement = true
    return { bytes, line }
  }

  endedTooEarly(): UserError {
    if (!this.#started) return new UserError(`Task file ${this.#fileName} is empty. It must hold a list of tasks.`)
    return this.#wrong(this.#line, 'the file is truncated: it ends before the closing bracket of the task list')
  }

  /** Index behind the opening bracket. */
  #findStart(buffer: Buffer): number | undefined {
    this.#line = 1
    for (let index = 0; index < buffer.length; index++) {
      const byte = buffer[index]
      if (byte === BYTE_ORDER_MARK[index]) continue
      if (byte === LINE_FEED) this.#line++
      if (byte === OPEN_LIST) {
        this.#started = true
        this.#restLine = this.#line
        return index + 1
      }
      if (byte !== undefined && byte > 0x20) {
        throw this.#wrong(this.#line, 'the file must hold a list of tasks: [ {"task_id": …, "data": {…}}, … ]')
      }
    }
    return undefined
  }

  /** Index of the last comma between elements, or of the closing bracket. */
  #findLastEnd(buffer: Buffer, from: number): number | undefined {
    let line = this.#line
    let depth = this.#depth
    let end: number | undefined
    let index = from
    const { length } = buffer
    if (this.#inText) index = this.#skipText(buffer, index, line)
    for (; index < length; index++) {
      switch (buffer[index]) {
        case QUOTE:
          index = this.#skipText(buffer, index + 1, line) - 1
          break
        case OPEN_OBJECT:
        case OPEN_LIST:
          depth++
          break
        case CLOSE_OBJECT:
          depth--
          break
        case CLOSE_LIST:
          if (depth === 0) {
            this.done = true
            this.#line = line
            return index
          }
          depth--
          break
        case COMMA:
          if (depth === 0) {
            end = index
            this.#restLine = line
          }
          break
        case LINE_FEED:
          line++
          break
      }
    }
    this.#line = line
    this.#depth = depth
    return end
  }

  /** Index behind the closing quote, or the buffer's length with #inText set. */
  #skipText(buffer: Buffer, from: number, line: number): number {
    let index = from
    const { length } = buffer
    if (this.#escaped && index < length) {
      this.#escaped = false
      index++
    }
    for (; index < length; index++) {
      const byte = buffer[index]
      if (byte === QUOTE) {
        this.#inText = false
        return index + 1
      }
      if (byte === BACKSLASH) {
        index++
        if (index === length) this.#escaped = true
      } else if (byte === LINE_FEED) {
        throw this.#wrong(line, 'a text is not closed by a quotation mark before the end of the line')
      }
    }
    this.#inText = true
    return length
  }

  #wrong(line: number, complaint: string): UserError {
    return new UserError(`Task file ${this.#fileName} line ${line}: ${complaint}.`)
  }
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every(byte => byte <= 0x20)
}

function parseElements({ bytes, line }: Elements, fileName: string): ItemGroup {
  if (!isUtf8(bytes)) throw new UserError(`Task file ${fileName} near line ${line}: the text is not valid UTF-8.`)
  const text = bytes.toString()
  const locate = (index: number) => splitElements(text, line)[index] ?? { line }
  try {
    return { values: JSON.parse(`[${text}]`), locate }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw firstWrongElement(splitElements(text, line), fileName) ?? error
  }
}

function firstWrongElement(elements: readonly Required<ItemLocation>[], fileName: string): UserError | undefined {
  for (const { json, line } of elements) {
    try {
      JSON.parse(json)
    } catch (error) {
      const what =
        json === '' ? 'a task is missing between two commas' : `this task is not valid JSON (${messageOf(error)})`
      return new UserError(`Task file ${fileName} line ${line}: ${what}.`, { cause: error })
    }
  }
  return undefined
}

/** The slow way, for an error message: each element with the line it begins in. */
function splitElements(text: string, firstLine: number): readonly Required<ItemLocation>[] {
  const elements: Required<ItemLocation>[] = []
  let depth = 0
  let start = 0
  let line = firstLine
  const add = (end: number) => {
    const element = text.slice(start, end)
    const lead = element.length - element.trimStart().length
    elements.push({ json: element.trim(), line: line + countLineFeeds(element.slice(0, lead)) })
    line += countLineFeeds(element)
    start = end + 1
  }
  for (const token of text.matchAll(/"(?:[^"\\]|\\[\s\S])*"|[[\]{},]/g)) {
    if (token[0] === '{' || token[0] === '[') depth++
    else if (token[0] === '}' || token[0] === ']') depth--
    else if (token[0] === ',' && depth === 0) add(token.index)
  }
  add(text.length)
  return elements
}

function countLineFeeds(text: string): number {
  return text.split('\n').length - 1
}
