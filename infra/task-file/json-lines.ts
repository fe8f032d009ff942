// Streams JSON Lines: one task a line, blank lines allowed; a chunk's lines are parsed together.
import { isUtf8 } from 'node:buffer'
import { messageOf, UserError } from '../../core/errors.ts'
import { readLineGroups } from './line-groups.ts'
import type { ItemGroup, ItemLocation } from './read-task-file.ts'

export async function* readJsonLines(chunks: AsyncIterable<Uint8Array>, fileName: string): AsyncGenerator<ItemGroup> {
  for await (const { bytes, line } of readLineGroups(chunks, fileName)) {
    if (!isUtf8(bytes)) throw new UserError(`Task file ${fileName} near line ${line}: the text is not valid UTF-8.`)
    const group = parseLines(bytes.toString(), line, fileName)
    if (group.values.length > 0) yield group
  }
}

function parseLines(text: string, firstLine: number, fileName: string): ItemGroup {
  const locate = (index: number) => splitLines(text, firstLine)[index] ?? { line: firstLine }
  // A line break cannot stand inside a JSON text, so each one in a sound file separates two tasks.
  const list = `[${text.trimEnd().replaceAll('\n', ',')}]`
  try {
    return { values: JSON.parse(list), locate }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { values: splitLines(text, firstLine).map(item => parseLine(item, fileName)), locate }
  }
}

function parseLine({ json, line }: Required<ItemLocation>, fileName: string): unknown {
  try {
    return JSON.parse(json)
  } catch (error) {
    throw new UserError(`Task file ${fileName} line ${line}: not a JSON object on one line (${messageOf(error)}).`, {
      cause: error,
    })
  }
}

function splitLines(text: string, firstLine: number): readonly Required<ItemLocation>[] {
  return text
    .split('\n')
    .map((json, index) => ({ json, line: firstLine + index }))
    .filter(({ json }) => json.trim() !== '')
}
