// Streams a YAML block list item by item; a list in brackets is read whole. No tag can run code.
import { isUtf8 } from 'node:buffer'
import { isNode, isSeq, LineCounter, parseDocument, type Tags } from 'yaml'
import { UserError } from '../../core/errors.ts'
import { parseExactJson } from '../../core/exact-json.ts'
import { readLineGroups } from './line-groups.ts'
import type { ItemGroup } from './read-task-file.ts'

export async function* readYamlList(chunks: AsyncIterable<Uint8Array>, fileName: string): AsyncGenerator<ItemGroup> {
  const splitter = new ItemSplitter(fileName)
  for await (const { bytes, line } of readLineGroups(chunks, fileName)) {
    if (!isUtf8(bytes)) throw new UserError(`Task file ${fileName} near line ${line}: the text is not valid UTF-8.`)
    for (const lines of cutBehindLines(bytes.toString())) {
      const found = splitter.push(lines)
      if (found !== undefined) yield parseItems(found, fileName)
    }
  }
  const last = splitter.end()
  if (last !== undefined) yield parseItems(last, fileName)
}

const PIECE_CHARS = 8 * 1024 // the parser needs a hundred times its text in memory

function* cutBehindLines(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const lineFeed = text.indexOf('\n', start + PIECE_CHARS)
    const end = lineFeed === -1 ? text.length : lineFeed + 1
    yield text.slice(start, end)
    start = end
  }
}

interface Items {
  readonly text: string
  readonly line: number
}

const MAX_WHOLE_CHARS = 64 * 1024 * 1024

/**
 * Returns whole items of a block list. Every line of an item but its first is indented deeper than its dash, so a dash
 * at that column always begins an item. What comes before the first dash must be comments, directives or `---`.
 */
class ItemSplitter {
  readonly #fileName: string
  #rest = ''
  #restLine = 1
  /** Begins an item; undefined until the first one was seen. */
  #itemStart: RegExp | undefined
  /** A list in brackets, or no list at all: only the parser can tell. */
  #whole = false

  constructor(fileName: string) {
    this.#fileName = fileName
  }

  push(text: string): Items | undefined {
    this.#rest += text
    if (this.#itemStart === undefined && !this.#whole) this.#findStart()
    if (this.#whole && this.#rest.length > MAX_WHOLE_CHARS) {
      throw new UserError(
        `Task file ${this.#fileName}: a YAML list in brackets is limited to 64 MB. Use one "- " a task, or a .json file.`,
      )
    }
    if (this.#itemStart === undefined) return undefined
    let lastStart = 0
    for (const match of this.#rest.matchAll(this.#itemStart)) lastStart = match.index
    if (lastStart === 0) return undefined
    const found = { text: this.#rest.slice(0, lastStart), line: this.#restLine }
    this.#rest = this.#rest.slice(lastStart)
    this.#restLine += found.text.split('\n').length - 1
    return found
  }

  end(): Items | undefined {
    const text = this.#rest
    if (this.#itemStart === undefined && !this.#whole) {
      throw new UserError(`Task file ${this.#fileName} is empty. It must hold a list of tasks.`)
    }
    return { text, line: this.#restLine }
  }

  #findStart(): void {
    const first = /^(?!%|---[ \t]*(?:#.*)?\r?$)([ \t]*)([^\s#].*)$/m.exec(this.#rest)
    if (first === null) return
    const [, indent = '', content = ''] = first
    if (/^-([ \t\r]|$)/.test(content)) this.#itemStart = new RegExp(`^${indent}-(?=[ \\t\\r\\n])`, 'gm')
    else this.#whole = true
  }
}

function parseItems({ text, line }: Items, fileName: string): ItemGroup {
  const lineCounter = new LineCounter()
  const lineAt = (offset: number) => line + lineCounter.linePos(offset).line - 1
  const document = parseDocument(text, {
    version: '1.1', // as the Python system: `yes` is true
    customTags: asInPython,
    intAsBigInt: true,
    lineCounter,
    prettyErrors: false,
  })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) {
    const what = problem.code === 'MULTIPLE_DOCS' ? 'a second document begins here. Join them' : problem.message
    throw new UserError(
      `Task file ${fileName} line ${lineAt(problem.pos[0])}: not valid YAML (${what.replace(/\.$/, '')}).`,
    )
  }
  const value: unknown = document.toJS()
  if (!Array.isArray(value) || !isSeq(document.contents)) {
    throw new UserError(
      `Task file ${fileName}: the file must hold a list of tasks, each beginning with "- task_id: …".`,
    )
  }
  const nodes = document.contents.items
  const locate = (index: number) => {
    const node = nodes[index]
    return { line: isNode(node) ? lineAt(node.range?.[0] ?? 0) : line }
  }
  const values = value.map((item, index) =>
    toJson(item, () => {
      throw new UserError(`Task file ${fileName} line ${locate(index).line}: infinity and NaN cannot be sent as JSON.`)
    }),
  )
  return { values, locate }
}

/** Times stay texts, because JSON has none; `y` and `n` are no truth values for Python's reader. */
function asInPython(tags: Tags): Tags {
  return tags
    .filter(tag => typeof tag === 'string' || tag.tag !== 'tag:yaml.org,2002:timestamp')
    .map(tag => {
      if (typeof tag === 'string' || tag.collection !== undefined || tag.tag !== 'tag:yaml.org,2002:bool') return tag
      return { ...tag, test: tag.test?.test('y') ? /^(?:yes|true|on)$/i : /^(?:no|false|off)$/i }
    })
}

/** Integers arrive as BigInt so that none is rounded: small ones become numbers, big ones keep their digits. */
function toJson(value: unknown, refuse: () => never): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : parseExactJson(String(value))
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return refuse()
  if (Array.isArray(value)) return value.map(item => toJson(item, refuse))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, toJson(field, refuse)]))
}
