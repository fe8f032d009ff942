// Puts a measured table into docs/performance.md, so that no number there was ever typed.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const FILE = join(import.meta.dirname, '..', '..', 'docs', 'performance.md')
const BEGIN = '<!-- measured by: npm run bench -- --update-docs -->'
const END = '<!-- end of what was measured -->'

export async function updateDocs(report: string): Promise<void> {
  const text = await readFile(FILE, 'utf8')
  const from = text.indexOf(BEGIN)
  const to = text.indexOf(END)
  if (from === -1 || to < from) throw new Error(`${FILE} has lost its lines "${BEGIN}" and "${END}".`)
  await writeFile(FILE, `${text.slice(0, from)}${BEGIN}\n${report}\n${text.slice(to)}`)
}
