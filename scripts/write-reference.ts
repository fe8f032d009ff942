// `npm run docs`: writes the tables of the reference pages anew. test/docs.test.ts fails while a page is behind its program.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fillPage, renderReferences } from './reference-tables.ts'

const docs = join(import.meta.dirname, '../docs')

for (const [name, generated] of Object.entries(renderReferences())) {
  const file = join(docs, name)
  writeFileSync(file, fillPage(readFileSync(file, 'utf8'), generated))
}
