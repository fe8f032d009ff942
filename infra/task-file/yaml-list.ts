// Streams a YAML block list item by item; a list in brackets is read whole. No tag can run code.
import { isUtf8 } from 'node:buffer'
import { LineCounter, parseDocument } from 'yaml'
import { UserError } from '../../core/errors.ts'
import { parseExactJson } from '../../core/exact-json.ts'
import { readLineGroups } from './line-groups.ts'
import type { ItemGroup } from './read-task-file.ts'

export async function* readYamlList(chunks: AsyncIterable<Uint8Array>, fileName: string): AsyncGenerator<ItemGroup> {
  const splitter = new ItemSplitter(fileName)
  for await (const { bytes, line } of readLineGroups(chunks, fileName)) {
    if (!isUtf8(bytes)) throw new UserError(`Task file ${fileName} near line ${line}: the text is not valid UTF-8.`)
    const found = splitter.push(bytes.toString(), line)
    if (found !== undefined) yield parseItems(found, fileName)
  }
  const last = splitter.end()
  if (last !== undefined) yield parseItems(last, fileName)
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

  push(text: string, line: number): Items | undefined {
    if (this.#rest === '') this.#restLine = line
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
  // The Python system reads YAML 1.1 (`yes` is true). Times stay texts: JSON has none.
  const document = parseDocument(text, {
    version: '1.1',
    customTags: tags => tags.filter(tag => typeof tag === 'string' || !tag.tag.endsWith(':timestamp')),
    intAsBigInt: true,
    lineCounter,
    prettyErrors: false,
    maxAliasCount: 1000,
  } as Parameters<typeof parseDocument>[1])
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) {
    const at = line + lineCounter.linePos(problem.pos[0]).line - 1
    throw new UserError(`Task file ${fileName} line ${at}: not valid YAML (${problem.message.replace(/\.$/, '')}).`)
  }
  const value: unknown = document.toJS()
  if (!Array.isArray(value)) {
    throw new UserError(
      `Task file ${fileName}: the file must hold a list of tasks, each beginning with "- task_id: …".`,
    )
  }
  const items = document.contents as {
    readonly items: readonly { readonly range?: readonly [number, number, number] }[]
  }
  return {
    values: value.map(toJson),
    locate: index => ({ line: line + lineCounter.linePos(items.items[index]?.range?.[0] ?? 0).line - 1 }),
  }
}

/** Integers arrive as BigInt so that none is rounded: small ones become numbers, big ones keep their digits. */
function toJson(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : parseExactJson(String(value))
  }
  if (Array.isArray(value)) return value.map(toJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, toJson(field)]))
}
